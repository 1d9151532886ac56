# SPDX-License-Identifier: MIT
# The plug-in for the stock `capnp` compiler, and what it generates from schema/.

noinst_PROGRAMS += tools/capnpc-capos/capnpc-capos
tools_capnpc_capos_capnpc_capos_SOURCES = tools/capnpc-capos/main.c++
tools_capnpc_capos_capnpc_capos_CPPFLAGS = $(HOST_CPPFLAGS)
tools_capnpc_capos_capnpc_capos_CXXFLAGS = $(CAPNP_LIB_CFLAGS) $(AM_CXXFLAGS)
tools_capnpc_capos_capnpc_capos_LDADD = $(CAPNP_LIB_LIBS)

# The generator leaves a file whose contents would be the same as it is, so only what changed is compiled again.
gen/.stamp: tools/capnpc-capos/capnpc-capos$(EXEEXT) $(SCHEMAS)
	$(say_gen)rm -rf gen/new && $(MKDIR_P) gen/new gen/schema gen/include/capos/schema
	$(AM_V_at)cd $(srcdir) && $(CAPNP) compile --no-standard-import --src-prefix=schema \
		-o$(abs_builddir)/tools/capnpc-capos/capnpc-capos:$(abs_builddir)/gen/new $(SCHEMAS)
	$(AM_V_at)for new in gen/new/*; do \
		case $$new in *.c) to=gen/schema ;; *) to=gen/include/capos/schema ;; esac; \
		cmp -s $$new $$to/$${new##*/} || mv -f $$new $$to/ || exit 1; \
	done
	$(AM_V_at)rm -rf gen/new && touch $@
$(GENERATED_SOURCES): gen/.stamp
	@test -f $@

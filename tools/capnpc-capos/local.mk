# SPDX-License-Identifier: MIT
# The plug-in for the stock `capnp` compiler, and what it generates from schema/.

noinst_PROGRAMS += tools/capnpc-capos/capnpc-capos
tools_capnpc_capos_capnpc_capos_SOURCES = tools/capnpc-capos/capnpc-capos.cc \
	tools/capnpc-capos/client.cc tools/capnpc-capos/output.h tools/capnpc-capos/schemas.cc \
	tools/capnpc-capos/schemas.h tools/capnpc-capos/server.cc tools/capnpc-capos/source.cc \
	tools/capnpc-capos/types.cc
tools_capnpc_capos_capnpc_capos_CPPFLAGS = $(HOST_CPPFLAGS)
tools_capnpc_capos_capnpc_capos_CXXFLAGS = $(CAPNP_LIB_CFLAGS) $(AM_CXXFLAGS)
tools_capnpc_capos_capnpc_capos_LDADD = $(CAPNP_LIB_LIBS)

# What comes out as it was is left alone, so that only what changed is compiled again.
gen/.stamp: tools/capnpc-capos/capnpc-capos$(EXEEXT) $(SCHEMAS)
	$(say_gen)rm -rf gen/new && $(MKDIR_P) gen/new gen/schema gen/include/capos/schema
	$(AM_V_at)(cd $(srcdir) && $(CAPNP) compile --no-standard-import --src-prefix=schema \
		-o$(abs_builddir)/tools/capnpc-capos/capnpc-capos:$(abs_builddir)/gen/new $(SCHEMAS))
	$(AM_V_at)cd gen/new && for file in schema/*.c include/capos/schema/*.h; do \
		cmp -s $$file ../$$file || mv -f $$file ../$$file || exit 1; \
	done
	$(AM_V_at)rm -rf gen/new && touch $@
$(GENERATED_SOURCES): gen/.stamp
	@test -f $@

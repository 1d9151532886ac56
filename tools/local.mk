# SPDX-License-Identifier: MIT
# Programs of the host: the schema compiler's C back end, the host command, the boot archive's writer.

include $(srcdir)/tools/capnpc-capos/local.mk

# What `capos` and mkarchive share with the unit tests.
CAPOS_ARCHIVE_SOURCES = tools/capos/archive_writer.c tools/capos/archive_writer.h \
	libcapos/archive.c libcapos/include/capos/archive_reader.h

noinst_PROGRAMS += tools/mkarchive/mkarchive
tools_mkarchive_mkarchive_SOURCES = tools/mkarchive/main.c $(CAPOS_ARCHIVE_SOURCES)

# The description of the command line, from which the help, the man pages and the completions come.
CAPOS_OPTION_SOURCES = \
	tools/capos/address.c tools/capos/address.h \
	tools/capos/capos.h \
	tools/capos/clean.c tools/capos/clean.h libcapos/text.c libcapos/include/capos/text.h \
	tools/capos/complain.c tools/capos/complain.h \
	tools/capos/environment.c tools/capos/environment.h \
	tools/capos/foreign.c tools/capos/foreign.h \
	tools/capos/grant.c tools/capos/grant.h \
	tools/capos/help.c tools/capos/help.h \
	tools/capos/hostdata.c tools/capos/hostdata.h \
	tools/capos/option_table.c tools/capos/options.c tools/capos/options.h

bin_PROGRAMS += capos
capos_SOURCES = \
	tools/capos/arguments.c tools/capos/arguments.h \
	tools/capos/backlog.c tools/capos/backlog.h \
	tools/capos/image.c tools/capos/image.h \
	tools/capos/lines.c \
	tools/capos/linker.c tools/capos/linker.h \
	tools/capos/log.c tools/capos/log.h \
	tools/capos/machine.c tools/capos/machine.h \
	tools/capos/main.c \
	tools/capos/passt.c tools/capos/passt.h \
	tools/capos/pcap.c tools/capos/pcap.h \
	tools/capos/preflight.c tools/capos/preflight.h \
	tools/capos/pump.c tools/capos/pump.h \
	tools/capos/put.c tools/capos/put.h \
	tools/capos/receive.c tools/capos/receive.h libcapos/include/capos/output.h \
	tools/capos/replace.c tools/capos/replace.h \
	tools/capos/request.c tools/capos/request.h tools/capos/terminal.c tools/capos/terminal.h \
	tools/capos/sdk.c tools/capos/sdk.h \
	tools/capos/session.c tools/capos/session.h tools/capos/session_state.h \
	tools/capos/spawn.c tools/capos/spawn.h \
	tools/capos/usernet.c tools/capos/usernet.h \
	libcapos/msg.c \
	$(CAPOS_OPTION_SOURCES) \
	$(CAPOS_ARCHIVE_SOURCES)
nodist_capos_SOURCES = gen/schema/manifest.c gen/schema/network.c
capos_CPPFLAGS = -I. $(AM_CPPFLAGS)

# Manual pages and completions: made from the command line's description.
noinst_PROGRAMS += tools/capos/generate
tools_capos_generate_SOURCES = tools/capos/generate.c $(CAPOS_OPTION_SOURCES)
tools_capos_generate_CPPFLAGS = -I. $(AM_CPPFLAGS)

dist_man1_MANS = doc/capos-toolchain.1
nodist_man1_MANS = gen/man/capos.1 gen/man/capos-run.1 gen/man/capos-image.1 gen/man/capos-caps.1
bashcompletiondir = $(datadir)/bash-completion/completions
nodist_bashcompletion_DATA = gen/completion/bash/capos
zshcompletiondir = $(datadir)/zsh/site-functions
nodist_zshcompletion_DATA = gen/completion/zsh/_capos
fishcompletiondir = $(datadir)/fish/vendor_completions.d
nodist_fishcompletion_DATA = gen/completion/fish/capos.fish

generate_into = $(say_gen)$(MKDIR_P) $(@D) && tools/capos/generate$(EXEEXT)

gen/man/capos.1: tools/capos/generate$(EXEEXT)
	$(generate_into) man >$@.part && mv $@.part $@
gen/man/capos-run.1: tools/capos/generate$(EXEEXT)
	$(generate_into) man run >$@.part && mv $@.part $@
gen/man/capos-image.1: tools/capos/generate$(EXEEXT)
	$(generate_into) man image >$@.part && mv $@.part $@
gen/man/capos-caps.1: tools/capos/generate$(EXEEXT)
	$(generate_into) man caps >$@.part && mv $@.part $@
gen/completion/bash/capos: tools/capos/generate$(EXEEXT)
	$(generate_into) bash >$@.part && mv $@.part $@
gen/completion/zsh/_capos: tools/capos/generate$(EXEEXT)
	$(generate_into) zsh >$@.part && mv $@.part $@
gen/completion/fish/capos.fish: tools/capos/generate$(EXEEXT)
	$(generate_into) fish >$@.part && mv $@.part $@

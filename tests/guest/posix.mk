# SPDX-License-Identifier: MIT
# POSIX programs in the guest, built by the compiler wrapper as any program is.

# One source file is one program; posix_absent is made from more.
POSIX_TESTS = \
	tests/guest/posix_ahead \
	tests/guest/posix_cancel \
	tests/guest/posix_contents \
	tests/guest/posix_databases \
	tests/guest/posix_denied \
	tests/guest/posix_devices \
	tests/guest/posix_empty \
	tests/guest/posix_eventfds \
	tests/guest/posix_fair \
	tests/guest/posix_faults \
	tests/guest/posix_fds \
	tests/guest/posix_fifo \
	tests/guest/posix_modes \
	tests/guest/posix_mqueue \
	tests/guest/posix_nodes \
	tests/guest/posix_epoll \
	tests/guest/posix_fork \
	tests/guest/posix_hardening \
	tests/guest/posix_inotify \
	tests/guest/posix_layout \
	tests/guest/posix_links \
	tests/guest/posix_locks tests/guest/posix_mapped tests/guest/posix_maps \
	tests/guest/posix_memory \
	tests/guest/posix_nameless \
	tests/guest/posix_partly \
	tests/guest/posix_places \
	tests/guest/posix_pointers \
	tests/guest/posix_priority \
	tests/guest/posix_scheduling \
	tests/guest/posix_proc \
	tests/guest/posix_processes \
	tests/guest/posix_ptys \
	tests/guest/posix_queued \
	tests/guest/posix_remembered \
	tests/guest/posix_remap \
	tests/guest/posix_reopen \
	tests/guest/posix_resident \
	tests/guest/posix_signals \
	tests/guest/posix_socketpair \
	tests/guest/posix_splice \
	tests/guest/posix_stack \
	tests/guest/posix_stress \
	tests/guest/posix_sysv \
	tests/guest/posix_threads \
	tests/guest/posix_time \
	tests/guest/posix_unix \
	tests/guest/posix_users \
	tests/guest/posix_vfork \
	tests/guest/posix_wakes \
	tests/guest/posix_windows \
	tests/guest/posix_timers
check_DATA += $(POSIX_TESTS) tests/guest/posix_absent
CLEANFILES += $(POSIX_TESTS) tests/guest/posix_absent tests/guest/posix.log tests/guest/absent.log \
	tests/guest/posix_absent_options.h tests/guest/posix_absent_calls.h
EXTRA_DIST += libcapos-posix/posix-doc.awk libcapos-posix/posix-doc.sh tests/guest/absent.sh \
	tests/guest/posix_absent.awk tests/guest/posix_absent.c \
	tests/guest/libc.sh tests/guest/posix.sh tests/guest/posix_tap.h tests/guest/posix_thread.h $(POSIX_TESTS:=.c)
TESTS += tests/guest/absent.sh tests/guest/libc.sh tests/guest/posix.sh

POSIX_TEST_CC = $(SYSROOT)/bin/x86_64-capos-linux-musl-gcc -std=gnu11 -O2 $(WARNINGS)
POSIX_TEST_DEPENDS = tests/guest/posix_tap.h tests/guest/posix_thread.h $(SYSROOT)/.stamp

POSIX_ABSENT_LISTS = asm-generic/socket.h linux/in.h linux/tcp.h linux/udp.h linux/sockios.h asm-generic/sockios.h \
	linux/prctl.h asm/prctl.h linux/futex.h asm-generic/mman-common.h linux/sched.h bits/fcntl.h fcntl.h
tests/guest/posix_absent_options.h: tests/guest/posix_absent.awk $(SYSROOT)/.stamp
	@mkdir -p tests/guest
	$(AM_V_GEN)awk -f $(srcdir)/tests/guest/posix_absent.awk $(POSIX_ABSENT_LISTS:%=$(SYSROOT)/include/%) >$@
tests/guest/posix_absent_calls.h: $(SYSROOT)/.stamp
	@mkdir -p tests/guest
	$(AM_V_GEN)sed -n 's/^#define __NR_\([a-z0-9_]*\)[[:space:]].*/SYSCALL_NAME(\1)/p' $(SYSROOT)/include/bits/syscall.h >$@
tests/guest/posix_absent: tests/guest/posix_absent.c tests/guest/posix_absent_options.h tests/guest/posix_absent_calls.h \
		libcapos-posix/src/core/syscalls.h $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -I$(srcdir)/libcapos-posix/src -Itests/guest -o $@ $(srcdir)/tests/guest/posix_absent.c

# With libcapos beside libc: it holds capabilities that POSIX has no names for.
check_DATA += tests/guest/posix_restart
CLEANFILES += tests/guest/posix_restart
EXTRA_DIST += tests/guest/posix_restart.c
tests/guest/posix_restart: tests/guest/posix_restart.c libcapos/libcapos.a $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -no-pie -I$(srcdir)/kernel/abi -I$(srcdir)/libcapos/include -Igen/include -o $@ \
		$(srcdir)/tests/guest/posix_restart.c libcapos/libcapos.a

.PHONY: posix-doc
posix-doc: $(SYSROOT)/.stamp
	sh $(srcdir)/libcapos-posix/posix-doc.sh $(srcdir) $(SYSROOT)/include/bits/syscall.h >$(srcdir)/doc/posix.md

# It goes through the table of system calls.
tests/guest/posix_pointers: POSIX_TEST_CC += -I$(srcdir)/libcapos-posix/src
tests/guest/posix_pointers: libcapos-posix/src/core/syscalls.h

$(POSIX_TESTS) $(SOCKETS_TESTS): %: %.c $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -o $@ $(srcdir)/$@.c

# Programs that attack services with capabilities of their own.
FUZZ_TESTS = tests/guest/border tests/guest/process_fuzz tests/guest/queue_fuzz tests/guest/service_fuzz \
	tests/guest/shared_fuzz tests/guest/terminal_fuzz
check_DATA += $(FUZZ_TESTS)
CLEANFILES += $(FUZZ_TESTS)
EXTRA_DIST += $(FUZZ_TESTS:=.c)
$(FUZZ_TESTS): %: %.c libcapos/libcapos.a $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -I$(srcdir)/kernel/abi -I$(srcdir)/libcapos/include -Igen/include -o $@ \
		$(srcdir)/$@.c libcapos/libcapos.a

# A dynamic program and a library that it opens.
DYNAMIC_TEST = tests/guest/dynamic tests/guest/dynamic_library.so
check_DATA += $(DYNAMIC_TEST)
CLEANFILES += $(DYNAMIC_TEST) tests/guest/dynamic.log
EXTRA_DIST += tests/guest/dynamic.sh tests/guest/dynamic.c tests/guest/dynamic_library.c
TESTS += tests/guest/dynamic.sh

tests/guest/dynamic: tests/guest/dynamic.c $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -dynamic -o $@ $(srcdir)/tests/guest/dynamic.c
tests/guest/dynamic_library.so: tests/guest/dynamic_library.c $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -shared -fPIC -o $@ $(srcdir)/tests/guest/dynamic_library.c

# Kills at any moment.  `make check-abuse` kills ten thousand processes, which takes a quarter of an hour.
check_DATA += tests/guest/abuse
CLEANFILES += tests/guest/abuse tests/guest/abuse.log tests/guest/abuse.txt tests/guest/abuse.manifest
EXTRA_DIST += tests/guest/abuse.sh tests/guest/abuse.c tests/guest/abuse.h tests/guest/abuse_kernel.c
TESTS += tests/guest/abuse.sh
tests/guest/abuse: tests/guest/abuse.c tests/guest/abuse.h tests/guest/abuse_kernel.c libcapos/libcapos.a $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -I$(srcdir)/kernel/abi -I$(srcdir)/libcapos/include -Igen/include -o $@ \
		$(srcdir)/tests/guest/abuse.c $(srcdir)/tests/guest/abuse_kernel.c libcapos/libcapos.a

# Every kind of call without memory, in a machine of 32 MiB.
check_DATA += tests/guest/scarce
CLEANFILES += tests/guest/scarce tests/guest/scarce.log tests/guest/scarce.txt tests/guest/scarce.manifest
EXTRA_DIST += tests/guest/scarce.sh tests/guest/scarce.c
TESTS += tests/guest/scarce.sh
tests/guest/scarce: tests/guest/scarce.c tests/guest/abuse.h tests/guest/abuse_kernel.c libcapos/libcapos.a $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -I$(srcdir)/kernel/abi -I$(srcdir)/libcapos/include -Igen/include -o $@ \
		$(srcdir)/tests/guest/scarce.c $(srcdir)/tests/guest/abuse_kernel.c libcapos/libcapos.a

.PHONY: check-abuse
check-abuse: all tests/guest/abuse
	srcdir=$(srcdir) ABUSE_KILLS=$${ABUSE_KILLS:-10000} ABUSE_TIMEOUT=$${ABUSE_TIMEOUT:-3600} sh $(srcdir)/tests/guest/abuse.sh

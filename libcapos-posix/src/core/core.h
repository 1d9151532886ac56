/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of core, the lowest: descriptors and their kinds, waiting, channels,
 * what processes share, memory of the library's own, refusals.
 *
 * All of the library runs inside the dispatcher, with upcalls masked and under one lock (threads.h
 * has the order), on the program's stack: no malloc, no errno, no thread-local storage, no stdio.
 * Arguments are as the Linux system call on x86-64 has them, structures as musl's public headers
 * have them; what pointers of the program lead to is reached by user.h alone.
 *
 * Rooms stand above each other: core, signal, time, then memory, thread, file, socket, terminal and
 * poll beside each other, then process, then entry.  A file includes headers of its own room, and
 * of a lower one the header that has the room's name.  tests/lint checks it.
 *
 * What musl's own files call is named __capos_*; every other global name becomes local to the
 * library when it is linked, so it cannot collide with a program's.
 */
#ifndef POSIX_CORE_H
#define POSIX_CORE_H

#include <capos/object.h>

#include "core/absent.h"
#include "core/arch.h"
#include "core/carried.h"
#include "core/chan.h"
#include "core/description.h"
#include "core/ends.h"
#include "core/family.h"
#include "core/fd.h"
#include "core/lock.h"
#include "core/pages.h"
#include "core/self.h"
#include "core/syscalls.h"
#include "core/threads.h"
#include "core/user.h"
#include "core/vector.h"
#include "core/wait.h"
#include "core/window.h"

#endif

/* SPDX-License-Identifier: MIT */
/*
 * How an open file description crosses execve: what the old image writes down of it and the new one
 * makes it from again.  Capabilities keep their ids in the process, so ids are enough.
 */
#ifndef POSIX_CARRIED_H
#define POSIX_CARRIED_H

#include <stdint.h>

#include <capos/abi.h>

#include "core/chan.h"

struct file;

enum carried_kind {
	CARRY_DENIED = 1,
	CARRY_STREAM,
	CARRY_REGULAR,
	CARRY_DIRECTORY,
	CARRY_DEVICE,
	CARRY_SOCKET,
	CARRY_PIPE,
	CARRY_EVENTFD,
	CARRY_TIMERFD,
	CARRY_SIGNALFD,
	CARRY_MADE,
	CARRY_TERMINAL,
	CARRY_LOCAL,
	CARRY_NAMED,
	CARRY_QUEUE,
	CARRY_WATCHER,
	CARRY_NOTICE,
	CARRY_EPOLL,
};

struct carried_socket {
	uint8_t kind, state, read_shut, write_shut;
	int32_t error;
	uint64_t receive_timeout, send_timeout, number;
	uint8_t peer[16]; /* struct sockaddr_in; of AF_UNIX: struct ucred */
	uint16_t ping_id, broadcast;
	uint16_t reserved[2];
};

struct carried {
	uint32_t kind;  /* enum carried_kind */
	int32_t flags;  /* of the description */
	cap_t object;   /* the socket, stream, file; the memory of a pipe or a pair of sockets */
	cap_t contents; /* a file's; CAP_NULL: it has not asked for them; of a FIFO: its File */
	int64_t offset;
	cap_t shared; /* the memory of its state; CAP_NULL: it is not shared */
	cap_t end;    /* of a pipe or a pair of sockets: its ProcessEnd */
	/* of a message queue: its pages; of a socket with names: the File and pages of its peer */
	cap_t more[2];
	/* of devices: the minor number; of epoll: entries in its memory; of files: record locks
	 * were used; of terminals: theirs; of pipes: their places among the opens; of a pair of
	 * sockets: which end; of message queues: bytes of their pages */
	uint32_t detail;
	uint64_t signals;       /* of signalfd: its set; of inotify: its key */
	cap_t volumes[8];       /* of inotify: its Watchers there */
	uint64_t made[4];       /* of a file of /proc: what stat says of it */
	struct chan_state chan; /* of streams and sockets */
	struct carried_socket socket;
};

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What /proc/sysvipc says of the world's System V objects, in Linux's columns.
 */
#include <capos/schema/process.h>

#include "core/core.h"
#include "process/proc.h"
#include "process/sysv.h"

/* Calls describe for each object of the kind.  A world that cannot be asked has none. */
static void each(uint32_t kind, struct made_text *t,
                 void (*describe)(const struct ipc_stat *s, struct made_text *t))
{
	struct process_member_ipc_use_results use;

	if (sysv_use(kind, &use) < 0)
		return;
	for (uint32_t place = 0; place < use.places; place++) {
		struct ipc_stat s;

		if (sysv_stat(kind, place, true, &s) >= 0)
			describe(&s, t);
	}
}

/* The line's begin: key, number and permissions in base 8, of which SHM_LOCKED is the highest. */
static void begin(const struct ipc_stat *s, struct made_text *t)
{
	char digits[5] = "";

	for (int i = 0; i < 4; i++)
		digits[i] = (char)('0' + (s->mode >> 3 * (3 - i) & 7));
	made_print(t, "%10d %10d  %4s ", s->key, s->id, digits[0] == '0' ? digits + 1 : digits);
}

static void owners(const struct ipc_stat *s, struct made_text *t)
{
	made_print(t, "%5u %5u %5u %5u ", s->user, s->group, s->creator_user, s->creator_group);
}

static void segment(const struct ipc_stat *s, struct made_text *t)
{
	const uint64_t bytes = PAGES_SIZE(s->size);

	begin(s, t);
	made_print(t, "%21llu %5u %5u  %5llu ", (unsigned long long)s->size, s->creator, s->last,
	           (unsigned long long)s->count);
	owners(s, t);
	made_print(t, "%10lld %10lld %10lld %21llu %21llu\n", (long long)s->first_seconds,
	           (long long)s->second_seconds, (long long)s->change_seconds,
	           (unsigned long long)bytes, 0ull);
}

static void set(const struct ipc_stat *s, struct made_text *t)
{
	begin(s, t);
	made_print(t, "%10llu ", (unsigned long long)s->size);
	owners(s, t);
	made_print(t, "%10lld %10lld\n", (long long)s->first_seconds, (long long)s->change_seconds);
}

static void queue(const struct ipc_stat *s, struct made_text *t)
{
	begin(s, t);
	made_print(t, " %10llu %10llu %5u %5u ", (unsigned long long)s->bytes,
	           (unsigned long long)s->count, s->last, s->last_receiver);
	owners(s, t);
	made_print(t, "%10lld %10lld %10lld\n", (long long)s->first_seconds,
	           (long long)s->second_seconds, (long long)s->change_seconds);
}

void proc_segments(struct made_text *text)
{
	made_print(
	        text,
	        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid"
	        "  cuid  cgid      atime      dtime      ctime                   rss"
	        "                  swap\n");
	each(IPC_KIND_SEGMENT, text, segment);
}

void proc_sets(struct made_text *text)
{
	made_print(text, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime"
	                 "      ctime\n");
	each(IPC_KIND_SET, text, set);
}

void proc_queues(struct made_text *text)
{
	made_print(
	        text,
	        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid"
	        "  cgid      stime      rtime      ctime\n");
	each(IPC_KIND_QUEUE, text, queue);
}

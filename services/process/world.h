/* SPDX-License-Identifier: MIT */
/*
 * A world of processes as data: numbers, parents, groups, sessions, ends and what is said of them,
 * signals that were sent, limits.  Pure: what has to happen outside goes by struct world_ops.
 *
 * States of a member:
 *
 *     PREPARED   its parent is making it            joins: RUNNING; never made, or gone: ENDED
 *     RUNNING                                       stops: STOPPED; its process ends: ENDED
 *     STOPPED    its stop call is open              SIGCONT: RUNNING; its process ends: ENDED
 *     ENDED      its parent may wait for it         waited for, or nobody will: freed
 *
 * A member whose parent is NULL is the world's own child: nothing waits for its end.  A member that
 * has ended has no children, but while world_ended runs.
 */
#ifndef PROCESS_WORLD_H
#define PROCESS_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/identity.h>

#include "services/files/pages.h"
#include "sysv.h"

#define WORLD_NUMBER       1u /* of the world itself */
#define WORLD_FIRST_NUMBER 2u
#define WORLD_NUMBER_MAX   4194303u /* as Linux has it on large machines: PID_MAX_LIMIT - 1 */
/* Members of one world, ended ones included: bounds how long one call takes. */
#define WORLD_MEMBERS_MAX 32768u
/* Signals that wait to be taken by one member; its sysconf(_SC_SIGQUEUE_MAX). */
#define WORLD_QUEUE_MAX 1024u
/* Waits of one member that are open: one for each of its threads. */
#define WORLD_WAITERS_MAX 4096u
#define WORLD_NAME_MAX    16u   /* as Linux: TASK_COMM_LEN */
#define WORLD_COMMAND_MAX 4096u /* one page, as Linux once had it */
#define WORLD_BUCKETS     512u  /* one page of pointers */
#define WORLD_LIMITS      16u   /* RLIM_NLIMITS */
#define WORLD_NO_LIMIT    UINT64_MAX
/* Numbers of Linux: RLIMIT_CPU, RLIMIT_NPROC. */
#define WORLD_LIMIT_CPU       0u
#define WORLD_LIMIT_PROCESSES 6u
#define WORLD_LIMIT_NICE      13u
#define WORLD_LIMIT_REALTIME  14u

enum member_state { MEMBER_PREPARED, MEMBER_RUNNING, MEMBER_STOPPED, MEMBER_ENDED };

/* Numbers of Linux that the world itself knows. */
enum world_signal {
	WORLD_SIGHUP = 1,
	WORLD_SIGINT = 2,
	WORLD_SIGQUIT = 3,
	WORLD_SIGKILL = 9,
	WORLD_SIGCHLD = 17,
	WORLD_SIGCONT = 18,
	WORLD_SIGSTOP = 19,
	WORLD_SIGTSTP = 20,
	WORLD_SIGTTIN = 21,
	WORLD_SIGTTOU = 22,
	WORLD_SIGXCPU = 24,
	WORLD_SIGWINCH = 28,
	WORLD_REALTIME = 32, /* the first that is queued */
	WORLD_SIGNAL_MAX = 64,
};
#define WORLD_SIGNAL_BIT(n) (1ull << ((n)-1))

struct signal_note { /* what siginfo says */
	uint32_t signal;
	int32_t code;
	uint32_t number; /* of the sender, or of the child */
	int32_t status;
	uint64_t value;
	uint64_t cpu_ns;
	uint32_t user; /* real one, of the same */
};

struct queued_signal {
	struct queued_signal *next;
	struct signal_note note;
};

/* Signals that a member wants when another gives it the notice. */
#define WORLD_NOTICES_MAX 256u
struct notice {
	struct notice *next;
	uint64_t key, value;
	uint32_t signal;
};

enum wait_which { WAIT_ANY, WAIT_PROCESS, WAIT_GROUP };
struct waiter {
	struct waiter *next;
	enum wait_which which;
	uint32_t id;
	uint32_t options;  /* WAIT_* of the schema */
	uint64_t token[2]; /* the service's: which call it is */
};

struct usage {
	uint64_t cpu_ns, children_cpu_ns, pages, children_pages;
};

struct limit {
	uint64_t soft, hard;
};

/* A number that members have as their group, or as their session. */
struct group {
	struct group *next; /* of the same hash */
	struct member *members;
	uint32_t number;
	uint32_t session; /* of its members */
	uint32_t uses;    /* members of the group, and members of the session of that number */
	uint32_t seen;    /* world.ends when it was last looked at */
};

/* Of a process's first thread, which the kernel knows. */
struct world_scheduling {
	int32_t nice;
	uint32_t policy, priority;
	bool forgets; /* its children begin with the usual one */
};

struct member {
	struct world *world;
	uint32_t number, group, session;
	enum member_state state;
	uint32_t status;               /* ended: CAPOS_EXIT_STATUS */
	struct member *parent;         /* NULL: the world */
	struct member *child;          /* first child */
	struct member *sibling, **up;  /* next child of the parent; where this one is linked */
	struct member *after, *before; /* of all, by number */
	struct member *bucket;         /* next of the same hash */
	struct group *of_group, *of_session; /* of these numbers; NULL: it is just being made */
	struct member *in_group, **up_group; /* next of the group; where this one is linked */
	struct queued_signal *queue, **queue_end;
	uint32_t queued;
	uint64_t queued_bits;
	struct waiter *waiters;
	uint32_t nwaiters;
	struct notice *notices;
	bool stop_wanted;    /* a stop signal was sent, and no SIGCONT since */
	uint32_t stopped_by; /* 0: it is not to be waited for as stopped */
	bool continued;      /* it is to be waited for as continued */
	bool forgets, no_stops;
	bool executed;
	uint32_t death_signal; /* that it wants when its parent ends; 0: none */
	bool reaps;            /* orphans below it become its children */
	struct member *heir;   /* while it ends: who gets its children; NULL: the world */
	uint32_t
	        foreground; /* group of its session, the same for all of it; 0: the session's own */
	/* To be set when it has joined. */
	struct world_scheduling wanted;
	bool wants_nice, wants_policy;
	struct cap_identity identity; /* what its label says */
	struct usage usage;
	struct limit limits[WORLD_LIMITS];
	uint64_t start_ns;
	char name[WORLD_NAME_MAX];
	uint8_t *command; /* NULL: none */
	uint32_t command_length;
	struct sysv_hold *holds;
	struct sysv_undo *undos;
	/* The service's. */
	uint64_t process, signals; /* capabilities; 0: it has none yet, or no more */
	uint64_t process_id;       /* the kernel's, of the process; 0: it has not joined */
	uint64_t stop_call[2];     /* [0] is 0: no stop call is open */
	uint64_t terminal;         /* of the session that it leads: a capability, 0: none */
	uint32_t terminal_number;
	struct asker *askers;   /* who waits for its report */
	uint64_t cpu_warned_at; /* seconds of processor time at which SIGXCPU was sent last */
};

struct world_ops {
	/* Bits became pending. */
	void (*notify)(struct member *m, uint64_t bits);
	void (*kill)(struct member *m);
	/* Answers a wait; child NULL: none yet; status: a Status.  False: the caller has given up,
	 * and the child is not waited for. */
	bool (*answer)(const struct waiter *w, int status, const struct member *child,
	               const struct signal_note *report);
	/* Answers its stop call. */
	void (*resume)(struct member *m);
	/* It is freed next: what the service keeps of it goes. */
	void (*forget)(struct member *m);
	/* Of System V objects.  Answers a call; message: the one that it receives, or NULL.  False:
	 * the caller has given up. */
	bool (*reply)(const struct sysv_waiter *w, int status, const struct sysv_message *message);
	/* Zeroed memory of the world's account.  Status. */
	int (*make_memory)(struct world *world, uint64_t size, uint64_t *memory);
	void (*drop_memory)(uint64_t memory);
	int64_t (*seconds)(void); /* Unix time */
	/* How it is scheduled: false, or the Status noEntry, when it has no process. */
	bool (*scheduling)(const struct member *m, struct world_scheduling *out);
	int (*set_nice)(const struct member *m, int32_t nice);
	int (*set_policy)(const struct member *m, const struct world_scheduling *wanted);
};

/* How many processors were in use, averaged over the last minute, five and fifteen: the last ones
 * count most.  Times 65536. */
struct world_load {
	uint64_t at_ns, cpu_ns; /* when it was brought up to date; what had been used then */
	uint32_t average[3];
};

struct world {
	const struct world_ops *ops;
	struct slab *slab;
	struct member **buckets;
	struct group **groups;       /* as many buckets */
	struct member *first, *last; /* by number */
	uint32_t nmembers, last_number;
	uint64_t ended_cpu_ns; /* of all that have ended */
	struct world_load load;
	struct sysv sysv;
	uint32_t ends;   /* of members, so far */
	bool cpu_limits; /* some member has had a limit on processor time */
	bool wrapped;    /* numbers have been used once */
};

/* Status. */
int world_open(struct world *world, const struct world_ops *ops, struct slab *slab);
void world_close(struct world *world); /* all members are freed */

/* NULL: none. */
struct member *world_find(const struct world *world, uint32_t number);
/* Whether the process of that id is a member and has not ended. */
bool world_has_process(const struct world *world, uint64_t id);
/* A process that came from outside the world.  number: wanted; 0: any.  Status. */
int world_enroll(struct world *world, uint32_t number, struct member **out);
/* A child that is being made.  Status: tryAgain (RLIMIT_NPROC), noBuffers, noMemory. */
int world_prepare(struct member *parent, struct member **out);
/* It runs from now on; what was sent to it until now is notified. */
void world_joined(struct member *m);
/* It was never made. */
void world_abandon(struct member *m);
/* It was waited for, or will not be. */
void world_forget(struct member *m);
/* Its process has ended. */
void world_ended(struct member *m, uint32_t status, uint64_t cpu_ns, uint64_t pages);
/* What it is called; command is copied, and stays as it was when length is 0.  Status. */
int world_describe(struct member *m, const char *name, uint32_t name_length, const void *command,
                   uint32_t length, bool executed);

/* ---- group.c ---- */
int world_set_group(struct member *caller, uint32_t number, uint32_t group);
int world_set_session(struct member *m);
/* NULL: no member has that number as its group or session. */
struct group *world_find_group(const struct world *world, uint32_t number);
/* Moves it there unchecked.  Status: noMemory. */
int world_enter_group(struct member *m, uint32_t group, uint32_t session);
void world_leave_group(struct member *m);
bool world_has_group(const struct world *world, uint32_t session, uint32_t group);
/* The foreground group of the member's session: the session's own unless another was set. */
uint32_t world_foreground(const struct member *m);
int world_set_foreground(struct member *m, uint32_t group);
/* Whether no member of its group has a parent outside it, in its session: then nothing would
 * continue one that stops by the terminal's signals. */
bool world_is_orphaned(const struct member *m);
/* m is about to leave its parent's and children's sight: groups that lose their last member with a
 * parent outside, and have a stopped one, are sent SIGHUP and SIGCONT. */
void world_orphan_groups(struct member *m);

/* ---- wait.c ---- */
/* Answers now or when a child matches.  Status; ok: it will be answered. */
int world_wait(struct member *m, const struct waiter *like);
/* The caller of that wait gave up.  True: there was one. */
bool world_cancel_wait(struct world *world, uint64_t token);
/* The child of that number and group has changed, or (NULL) is gone: answers those that wait for
 * it.  Each wait is looked at once, since a world may have thousands of both. */
void world_settle(struct member *parent, struct member *child, uint32_t number, uint32_t group);
void world_drop_waiters(struct member *m);

/* ---- signals.c ---- */
/* target as kill() has it.  Status. */
int world_kill(struct member *sender, int64_t target, const struct signal_note *note);
/* Sends to one.  Status: tryAgain. */
int world_send(struct member *m, const struct signal_note *note);
/* To all of a group; how many there are. */
uint32_t world_send_group(struct world *world, uint32_t group, const struct signal_note *note);
/* Takes the first queued signal of these bits; false: there is none. */
bool world_take_signal(struct member *m, uint64_t bits, struct signal_note *out);
/* Whether some are left. */
uint64_t world_queued(const struct member *m, uint64_t bits);
void world_drop_queue(struct member *m);
/* It has stopped: true; false: it was continued already, or is of an orphaned group. */
bool world_stopped(struct member *m, uint32_t signal, bool own);
/* Its parent hears of an end, a stop or a continuation: first those that wait, then SIGCHLD. */
void world_tell_parent(struct member *m);

/* ---- notices.c ---- */
/* m wants it, once, from whoever knows the key; signal 0: no more.  Status: exists, noBuffers,
 * noMemory, noEntry. */
int world_ask_notice(struct member *m, uint64_t key, uint32_t signal, uint64_t value);
/* Status: noEntry. */
int world_give_notice(const struct member *sender, struct member *m, uint64_t key);
void world_drop_notices(struct member *m);

/* ---- users.c ---- */
/* Status: notPermitted.  The label is the caller's to set. */
int world_set_users(struct member *m, const struct cap_identity *wanted);
bool world_may_signal(const struct member *sender, const struct member *m, uint32_t signal);
/* Its limits and the like. */
bool world_may_change(const struct member *caller, const struct member *m);
/* How it is scheduled. */
bool world_may_prefer(const struct member *caller, const struct member *m);
/* At what it has open and where it is. */
bool world_may_look(const struct member *caller, const struct member *m);

/* ---- load.c ---- */
/* Brings it up to date; cpu_ns: what the world has used in all. */
void world_update_load(struct world_load *load, uint64_t now_ns, uint64_t cpu_ns);

/* ---- limits.c ---- */
void world_first_limits(struct member *m);
int world_set_limit(struct member *m, uint32_t resource, const struct limit *wanted);
/* priority.c: of all that match; noEntry: none does.  id 0: m, or its group. */
int world_set_nice(struct member *m, enum wait_which which, uint32_t id, int32_t nice);
int world_nice(struct member *m, enum wait_which which, uint32_t id, int32_t *lowest);
void world_scheduling_of(const struct member *m, struct world_scheduling *out);
int world_set_policy(struct member *caller, struct member *m,
                     const struct world_scheduling *wanted);
/* It has a process now. */
void world_apply_scheduling(struct member *m);

#endif

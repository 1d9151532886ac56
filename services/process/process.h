/* SPDX-License-Identifier: MIT */
/*
 * What the files of the service that know of calls share: its sessions, each with a world, and the
 * words that name a member's objects.  effects.c does what a world asks for, member.c and birth.c
 * hold the methods, service.c leads a call to its method.
 */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include <capos/schema/process_server.h>
#include <capos/server.h>

#include "services/files/store.h"
#include "world.h"

/* The word of the object that the manifest exports, by which sessions are opened. */
#define WORD_ROOT 1u
/* Words with this bit are of sessions. */
#define WORD_SESSION_BIT (1ull << 63)
/* Programs of one machine that have a world at a time. */
#define SESSIONS_MAX 32u

/* Pipes of one world at a time, made by its members: two words of a page table of 32 KiB each. */
#define ENDS_PAIRS_MAX 4096u
#define ENDS_SIZE      (ENDS_PAIRS_MAX * 2u * sizeof(uint32_t))
#define ENDS_PER_PAGE  512u
#define ENDS_PAGES_MAX (ENDS_PAIRS_MAX / ENDS_PER_PAGE)

struct ends {
	cap_t memory; /* CAP_NULL: not made yet */
	_Atomic uint32_t *words;
	struct end_pair **pages[ENDS_PAGES_MAX]; /* by pair; NULL: none of them was in use */
	uint32_t next;                           /* where to look for a free pair */
};

struct session {
	uint64_t word;       /* 0: its last capability is gone, or it was never opened */
	uint32_t generation; /* how many worlds were here before */
	bool open;           /* there is a world, which lasts as long as it has members */
	uint32_t first;      /* number of its first member */
	struct store store;
	struct slab slab;
	struct world world;
	struct ends ends;
};

extern struct session sessions[SESSIONS_MAX];
extern struct server server;

/* ---- Words ---- */
enum word_kind { WORD_MEMBER = 1, WORD_BIRTH = 2, WORD_END = 3, WORD_LEADER = 4 };
uint64_t word_of(const struct member *m, enum word_kind kind);
/* NULL: it names none. */
struct member *word_member(uint64_t word, enum word_kind kind);
uint64_t word_in(const struct session *s, enum word_kind kind, uint32_t number);
/* The world of which it names something; NULL: none. */
struct session *word_session(uint64_t word, enum word_kind kind);
struct session *session_of(const struct member *m);

/* ---- effects.c ---- */
extern const struct world_ops world_effects;
/* A RETURN whose delivery is known: false when the caller has given up. */
bool answer_call(uint64_t call_id, int status, const void *message, uint32_t length);
/* The member's object is gone: it has ended, or is ended now. */
void member_gone(struct member *m);
/* What the kernel says of a living member, or said at its end. */
struct member_status {
	uint64_t cpu_ns, pages, mapped_pages;
	uint32_t threads;
};
void member_status(const struct member *m, struct member_status *out);
uint64_t member_resident(const struct member *m); /* pages in memory */
/* Sends what limits on processor time ask for; how long until it is to be looked at again. */
uint64_t watch_cpu_limits(void);

/* ---- ends.c ---- */
int ends_open(struct session *s, struct server_call *call, cap_t event,
              struct process_member_open_ends_results *out);
int ends_give_memory(struct session *s, struct server_call *call,
                     struct process_member_ends_memory_results *out);
extern const struct process_end_ops end_ops; /* of an end's word in the memory */
void ends_released(struct session *s, uint32_t word);
void ends_close(struct session *s);

/* ---- ipc.c ---- */
int ipc_get(void *object, struct msg_call *msg, const struct process_member_ipc_get_params *in,
            struct process_member_ipc_get_results *out);
int ipc_stat(void *object, struct msg_call *msg, const struct process_member_ipc_stat_params *in,
             struct process_member_ipc_stat_results *out);
int ipc_set(void *object, struct msg_call *msg, const struct process_member_ipc_set_params *in);
int ipc_remove(void *object, struct msg_call *msg,
               const struct process_member_ipc_remove_params *in);
int ipc_use(void *object, struct msg_call *msg, const struct process_member_ipc_use_params *in,
            struct process_member_ipc_use_results *out);
int ipc_attach(void *object, struct msg_call *msg,
               const struct process_member_attach_segment_params *in,
               struct process_member_attach_segment_results *out);
int ipc_detach(void *object, struct msg_call *msg,
               const struct process_member_detach_segment_params *in);
int ipc_lock(void *object, struct msg_call *msg,
             const struct process_member_lock_segment_params *in);
int ipc_operate(void *object, struct msg_call *msg,
                const struct process_member_operate_semaphores_params *in);
int ipc_read(void *object, struct msg_call *msg,
             const struct process_member_read_semaphores_params *in,
             struct process_member_read_semaphores_results *out);
int ipc_assign(void *object, struct msg_call *msg,
               const struct process_member_assign_semaphores_params *in);
int ipc_send(void *object, struct msg_call *msg,
             const struct process_member_send_message_params *in);
int ipc_receive(void *object, struct msg_call *msg,
                const struct process_member_receive_message_params *in,
                struct process_member_receive_message_results *out);
/* What a world asks for. */
bool ipc_reply(const struct sysv_waiter *w, int status, const struct sysv_message *message);
int ipc_make_memory(struct world *world, uint64_t size, uint64_t *memory);
void ipc_drop_memory(uint64_t memory);
int64_t ipc_seconds(void);

/* ---- report.c ---- */
#define REPORT_MAX 8192u /* bytes of one */
int report_ask(void *object, struct msg_call *msg, const struct process_member_ask_params *in,
               struct process_member_ask_results *out);
int report_take(void *object, struct msg_call *msg, const struct process_member_report_params *in);
void report_refuse(struct member *m); /* it ends */
bool report_cancel(struct world *world, uint64_t call_id);

/* ---- terminal.c ---- */
int terminal_take(struct member *m, struct server_call *call, uint16_t terminal_index,
                  uint32_t number, uint16_t *session_index);
int terminal_give(const struct member *m, struct server_call *call, uint16_t *index,
                  uint32_t *number);
int terminal_leave(struct member *m);
void terminal_job(const struct member *m, struct process_member_job_results *out);
void terminal_leader_ended(struct member *m);
extern const struct process_session_ops session_ops; /* of the struct member that leads it */

/* ---- member.c, birth.c ---- */
extern const struct process_member_ops member_ops; /* of a struct member */
extern const struct process_birth_ops birth_ops;   /* of a struct member */
/* Takes the process and its event from the call and gives the ProcessMember.  Status. */
int member_begin(struct member *m, struct server_call *call, uint16_t process, uint16_t signals,
                 uint16_t *member);

#endif

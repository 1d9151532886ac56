/* SPDX-License-Identifier: MIT */
/*
 * What init's IPC files share: its state, of which there is one, and one function set per file.
 * A file calls only those above it: call.c sends calls, spawn.c starts processes, session.c
 * keeps the program's sessions, service.c keeps the services running, stream.c sends through
 * the console, control.c talks to the host, end.c turns the machine off, program.c runs the
 * program, names.c writes the files under etc/, inventory.c lists capabilities, boot.c reads
 * what is to be started, main.c starts it.
 */
#ifndef INIT_INIT_H
#define INIT_INIT_H

#include <capos/cap.h>
#include <capos/channel.h>
#include <capos/start.h>

#include "lookup.h"
#include "plan.h"
#include "restart.h"

#define INIT_CAP(which) CAP_GIVEN(PLAN_KERNEL_##which)

/* The largest message to or from a kernel object.  For calls of such objects alone: they are over
 * before the next begins. */
extern _Alignas(8) uint8_t init_buffer[CAPOS_KERNEL_MESSAGE_MAX];
#define INIT_CALL() ((struct capos_call){.buffer = init_buffer, .size = sizeof(init_buffer)})

/* ---- call.c ---- */
/* A call whose reply is looked at when it has come. */
struct init_call {
	struct cap_op op;
	cap_t caps[CAPOS_MESSAGE_CAPS_MAX];
	_Alignas(8) uint8_t buffer[CAPOS_KERNEL_MESSAGE_MAX];
	/* What goes with it; set before it is submitted. */
	struct capos_send_cap send;
	bool sends;
};
/* Sends the message of length bytes that is in call->buffer. */
int init_call_submit(struct init_call *call, cap_t cap, uint64_t interface, uint16_t method,
                     uint32_t length);
/* Of a method without parameters. */
int init_call_submit_empty(struct init_call *call, cap_t cap, uint64_t interface, uint16_t method);
/* Releases what came with the reply. */
void init_call_release(struct init_call *call);

/* ---- State ---- */
/* A process that init started, and the call that waits for its end. */
struct init_process {
	const char *name; /* NULL: not started, or ended */
	cap_t process;
	struct init_call wait;
};

struct init_service {
	/* init keeps it: capabilities that others hold on the service outlive its process.
	 * CAP_NULL: not made, or the service's end was final. */
	cap_t endpoint;
	/* What init itself calls; CAP_NULL: the others. */
	cap_t exports[PLAN_EXPORTS_MAX];
	struct init_process process;
	struct restart restart;
	uint64_t due_ns;   /* when it is started again; 0: that is not planned */
	uint32_t instance; /* how many times it was started */
};

/* A session of the program with a service; what it makes there is charged to its account. */
enum init_session_kind { SESSION_FILES, SESSION_NETWORK, SESSION_PROCESSES, SESSION_COUNT };
struct init_session {
	bool wanted; /* the service's next process is to be asked, too */
	bool renew;  /* the service's process has ended since it was asked */
	uint32_t service, export;
	cap_t object; /* init keeps it; CAP_NULL: there is none */
	uint64_t interface;
	uint16_t method;
	uint32_t length;
	_Alignas(8) uint8_t message[CAPOS_KERNEL_MESSAGE_MAX]; /* parameters of the call */
	struct init_call call;
};

struct init_state {
	struct archive archive;
	struct plan plan;
	struct plan_request request;
	struct init_service services[PLAN_SERVICES_MAX];
	struct init_process program;
	cap_t account; /* the program's */
	struct init_session sessions[SESSION_COUNT];
	int console;   /* index of the service that carries "control", or -1 */
	cap_t signals; /* the program's */
	cap_t event;   /* wakes init; WAKE_* */
	struct cap_op wake;
};
#define WAKE_CONTROL 1ull
#define WAKE_OUTPUT  2ull

extern struct init_state init;

/* ---- spawn.c ---- */
/* The capabilities that a new process is given. */
struct given {
	struct start_cap caps[CAPOS_MESSAGE_CAPS_MAX];
	struct capos_send_cap send[CAPOS_MESSAGE_CAPS_MAX];
	uint32_t n;
	/* Not CAP_NULL: in place of the Directory that the files service exports, and of the
	 * ProcessWorld, since what is made through these is charged to the holder's account. */
	cap_t session, world;
	bool terminal; /* it gets a terminal, and no ByteStreams */
};
/* Adds one; CAP_ENOSLOT when there is no place (a moved one is released). */
int given_add(struct given *given, const char *name, uint64_t interface, cap_t cap, uint32_t rights,
              bool move);
/* Adds what the service exports, as an object of the holder's own: the service hears when the
 * holder has given it up. */
int given_add_export(struct given *given, const char *name, uint32_t service, uint32_t export);
/* Adds what the manifest says that its holder gets; what is missing is left out. */
int given_add_holdings(struct given *given, const struct plan_holding *holdings, uint32_t n);
/* Gives up what was to be moved. */
void given_drop(struct given *given);
struct spawn {
	const char *name;
	const char *path; /* as it was found, before links are followed */
	const struct archive_file *image;
	const char *const *args, *const *env;
	cap_t account; /* that it draws on; CAP_NULL: one of its own */
	uint64_t memory_limit_pages;
	bool service;
};
/* Starts a process; moved capabilities are gone afterwards, also when it fails.  started: its name
 * and its end. */
int spawn_process(const struct spawn *what, struct given *given, struct init_process *started);
/* Reads the reply of a process's wait call. */
void process_ended(struct init_process *p, uint32_t *status, char *reason, uint32_t size);

/* ---- session.c ---- */
/* The word of a session's object; one service has one session. */
#define SESSION_WORD (1ull << 63 | 1)
/* Mints the object and asks the service for the session: by this method, with the parameters of
 * length bytes that are in s->message, and with the program's account as the one capability. */
int session_begin(struct init_session *s, uint32_t service, uint32_t export, uint64_t interface,
                  uint16_t method, uint32_t length);
/* The service's process has ended. */
void session_service_ended(uint32_t service);
/* Asks those that are to be asked again.  True: a call was made. */
bool session_step(void);

/* ---- service.c ---- */
/* Makes the service's endpoint, and the objects on it that init calls. */
int service_make_exports(uint32_t index);
/* Starts it for the first time. */
int service_start(uint32_t index);
/* It has ended and will not be started again. */
bool service_is_over(uint32_t index);
/* Opens the program's session with the service that exports the interface, by session_begin();
 * it is opened again whenever that service is started again.  s->object stays CAP_NULL when
 * there is no such service. */
int service_open_session(struct init_session *s, uint64_t interface, uint16_t method,
                         uint32_t length);
/* The object that init calls of the first service that exports this; CAP_NULL: there is none.
 * name may be NULL. */
cap_t service_export(uint64_t interface, const char *name);
/* To be called once, before init_wait. */
void init_watch_event(void);
/* Sleeps until something happens or time (ns) is up; takes note of services that ended and starts
 * those whose time has come.  Returns early too: the caller looks for what it waits for.  All
 * waiting for a service happens here, so that a service which ends meanwhile is started again. */
void init_wait(uint64_t timeout_ns);
/* Waits for the reply to a call: its result.  After the time (ns) the call is cancelled:
 * CAP_ETIMEDOUT. */
int init_call_await(struct init_call *call, uint64_t timeout_ns);
/* Submits a call of a method without parameters and waits for the reply, which is CAP_EGONE when
 * object is CAP_NULL. */
int init_call_empty(struct init_call *call, cap_t object, uint64_t interface, uint16_t method);

/* ---- control.c ---- */
/* Attaches to the console when there is a new instance of it, and does what the host's lines
 * say. */
void control_step(void);
/* Waits until it is attached.  False: there is no console, or its end was final. */
bool control_ready(void);
/* Sends one line, waiting for space.  Without a control port it goes to the log. */
void control_send(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Waits until the host has taken everything; false: no host is there to take it. */
bool control_drain(void);
/* Drains, and waits until the host says that the machine may end, or is gone. */
void control_await_end(void);

/* ---- end.c ---- */
#define EXIT_SYSTEM 125 /* the code of what is not the program's fault */
/* Reports to the host that the program cannot be started, and turns the machine off. */
_Noreturn void init_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, of what the person asked for: the message says it all, and the log is not shown. */
_Noreturn void init_refuse(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, when there was no memory for what: names the memory that is needed. */
_Noreturn void init_fail_memory(const char *what);
_Noreturn void init_power_off(void);
/* What was logged so far has left for the host, which ends the machine once it has the status. */
void init_flush_log(void);

/* ---- program.c ---- */
void program_start(void);
/* Adds what the manifest and the request give a program. */
void program_give(struct given *given);
/* The reply to the program's wait call has come. */
_Noreturn void program_ended(void);
/* Reports to the host that the program ended so; reason: why the system ended it, or "". */
_Noreturn void program_finish(unsigned code, unsigned signal, const char *reason);

/* ---- terminal.c ---- */
/* Gives the program the terminal that the request asks for. */
int terminal_give(struct given *given);
/* The host's window has that size now. */
void terminal_resize(unsigned columns, unsigned rows);
/* Sends a size that had to wait. */
void terminal_step(void);
/* What was written to it has reached the console. */
void terminal_drain(void);

/* ---- output.c ---- */
/* Sends the host what the request's outputs name. */
void output_send(void);

/* ---- inventory.c ---- */
/* given: what init holds ready for a program. */
void inventory_send(const struct given *given);

/* ---- names.c ---- */
/* Starts to find out the name servers; names_step writes the file when that is done. */
void names_start(void);
void names_step(void);
/* Waits for that, if the program can make use of it. */
void names_wait(void);

/* ---- boot.c ---- */
/* Maps the boot archive and reads the manifest; what is wrong in that is in init.plan.problem. */
void boot_read_plan(void);
/* Reads the program's request, and puts the network's configuration into its service's
 * arguments. */
void boot_read_request(void);

#endif

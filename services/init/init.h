/* SPDX-License-Identifier: MIT */
/*
 * What init's IPC files share: its state, of which there is one, and one function set per file.
 * service.c runs the boot and the main loop, spawn.c starts processes, program.c the program,
 * control.c talks to the host, inventory.c lists capabilities, names.c writes the files under etc/.
 */
#ifndef INIT_INIT_H
#define INIT_INIT_H

#include <capos/cap.h>
#include <capos/channel.h>
#include <capos/start.h>

#include "lookup.h"
#include "plan.h"

#define INIT_CAP(which) CAP_GIVEN(PLAN_KERNEL_##which)

/* The largest message to or from a kernel object, for calls that are over before the next
 * begins. */
extern _Alignas(8) uint8_t init_buffer[CAPOS_KERNEL_MESSAGE_MAX];
#define INIT_CALL() ((struct capos_call){.buffer = init_buffer, .size = sizeof(init_buffer)})

/* A call whose answer is looked at when it has come. */
struct init_call {
	struct cap_op op;
	cap_t caps[CAPOS_MESSAGE_CAPS_MAX];
	_Alignas(8) uint8_t buffer[1024];
};
/* Sends the message of length bytes that is in call->buffer. */
int init_call_submit(struct init_call *call, cap_t cap, uint64_t interface, uint16_t method,
                     uint32_t length);

/* A process that init started, and the call that waits for its end. */
struct init_process {
	const char *name; /* NULL: not started, or told to be over */
	cap_t process;
	struct init_call wait;
};

struct init_state {
	struct archive archive;
	struct plan plan;
	struct plan_request request;
	/* Objects that services export, minted before the services exist; CAP_NULL where not
	 * enabled. */
	cap_t exports[PLAN_SERVICES_MAX][PLAN_EXPORTS_MAX];
	/* until the service is started: then it alone holds it */
	cap_t endpoints[PLAN_SERVICES_MAX];
	struct init_process services[PLAN_SERVICES_MAX];
	struct init_process program;
	int console;   /* index of the service that carries "control", or -1 */
	cap_t signals; /* the program's */
	cap_t event;   /* wakes init; WAKE_* */
	struct cap_op wake;
};
#define WAKE_CONTROL 1ull

extern struct init_state init;

/* ---- service.c ---- */
/* Sleeps until something happens or time (ns) is up, then takes note of services that ended. */
void init_wait(uint64_t timeout_ns);
/* Tells the host that the program cannot be started, and turns the machine off. */
_Noreturn void init_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

_Noreturn void init_power_off(void);
#define EXIT_SYSTEM 125 /* the code of whatever is not the program's fault */

/* ---- spawn.c ---- */
/* The capabilities that a new process is given. */
struct given {
	struct start_cap caps[CAPOS_MESSAGE_CAPS_MAX];
	struct capos_send_cap send[CAPOS_MESSAGE_CAPS_MAX];
	uint32_t n;
};
/* Adds one; CAP_ENOSLOT when there is no place (a moved one is released). */
int given_add(struct given *given, const char *name, uint64_t interface, cap_t cap, uint32_t rights,
              bool move);
/* Adds what the manifest says that its holder gets; what is missing is left out. */
int given_add_holdings(struct given *given, const struct plan_holding *holdings, uint32_t n);
struct spawn {
	const char *name;
	const struct archive_file *image;
	const char *const *args, *const *env;
	uint64_t memory_limit_pages;
	bool service;
};
/* Starts a process; moved capabilities are gone afterwards, whatever comes out.  started: its name
 * and its end. */
int spawn_process(const struct spawn *what, struct given *given, struct init_process *started);
int spawn_service(uint32_t index);
/* Reads the answer of a process's wait call. */
void process_ended(struct init_process *p, uint32_t *status, char *reason, uint32_t size);

/* ---- program.c ---- */
void program_start(void);
/* Adds what the manifest and the request give a program. */
void program_give(struct given *given);
/* The program's wait call has been answered. */
_Noreturn void program_ended(void);
/* Tells the host that the program ended so. */
_Noreturn void program_finish(unsigned code, unsigned signal);

/* ---- control.c ---- */
int control_attach(cap_t stream);
bool control_attached(void);
/* Sends one line, waiting for space.  Without a control port it goes to the log. */
void control_send(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Does what the host's lines say. */
void control_receive(void);
/* Waits until the host has taken everything. */
void control_drain(void);

/* ---- inventory.c ---- */
/* given: what init holds ready for a program. */
void inventory_send(const struct given *given);

/* ---- names.c ---- */
/* Starts to find out the name servers; names_step writes the file when that is done. */
void names_start(void);
void names_step(void);
/* Waits for that, if the program can make use of it. */
void names_wait(void);

#endif

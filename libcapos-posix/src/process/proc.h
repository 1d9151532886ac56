/* SPDX-License-Identifier: MIT */
/*
 * /proc: processes of this world, and what is known of the machine.
 */
#ifndef POSIX_PROC_H
#define POSIX_PROC_H

#include <stdbool.h>
#include <stdint.h>

#include "file/file.h"

/* Where something of /proc is: what the path says, without looking. */
struct proc_path {
	uint32_t number;  /* of the process; 0: none */
	const char *name; /* below it, or below /proc; "": that directory itself */
	char trimmed[32]; /* the name, when slashes stood behind it */
	bool of_self;     /* by the link "self" */
};
/* False: the path is not below /proc. */
bool proc_parse(const char *path, struct proc_path *out);

struct process_info;
/* 0 or -errno. */
int proc_find(uint32_t number, struct process_info *out, char name[16]);
/* Processors in use on average, and what the world has used. */
struct proc_load {
	uint32_t average[3]; /* times 65536 */
	uint32_t processes, last_number;
	uint64_t cpu_ns;
};
void proc_load(struct proc_load *out);
/* Pages that the world may use, and those it does not. */
void proc_memory(uint64_t *total, uint64_t *unused);

/* proc_files.c: what a file says; 0, 1: there is no such file; -errno. */
struct made_text;
int proc_file_of_machine(const char *name, struct made_text *text);
/* sysv_proc.c: the files below sysvipc. */
void proc_queues(struct made_text *text);
void proc_sets(struct made_text *text);
void proc_segments(struct made_text *text);
/* proc_net.c: the files below net; 0 or -errno. */
int proc_net(const char *name, struct made_text *text);
/* In which of them a socket stands, and its line; NULL: it is none. */
const char *proc_socket(struct file *f, char *out, size_t size);
/* Visits all processes of the world until visit returns other than 0; that result, or 0. */
typedef int proc_visit(const struct process_info *p, void *context);
int proc_each(proc_visit *visit, void *context);
int proc_file_of_process(const struct process_info *p, const char *name, struct made_text *text);

#endif

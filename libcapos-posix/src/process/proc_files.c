/* SPDX-License-Identifier: MIT */
/*
 * What the files of /proc say.  A field of Linux's whose value nothing here knows is 0, as Linux
 * itself has it where it keeps no count; memory is what the world may use and what it uses.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include <capos/cap.h>
#include <capos/clock.h>
#include <capos/format.h>
#include <capos/object.h>
#include <capos/schema/process_client.h>

#include "core/core.h"
#include "file/file.h"
#include "memory/memory.h"
#include "process/proc.h"
#include "process/report.h"
#include "process/world.h"
#include "signal/signal.h"

#define NS_PER_SECOND 1000000000ull
#define NS_PER_TICK   10000000ull /* AT_CLKTCK is 100 */
#define PAGE_KIB      (PAGE_BYTES / 1024)
#define COMMAND_BYTES 4608u /* of the message with a process's arguments */

/* ---- The machine ---- */

static void uptime(struct made_text *t)
{
	struct proc_load load;
	uint64_t now = cap_now(), idle;

	proc_load(&load);
	idle = now > load.cpu_ns ? now - load.cpu_ns : 0;
	made_print(t, "%llu.%02llu %llu.%02llu\n", (unsigned long long)(now / NS_PER_SECOND),
	           (unsigned long long)(now / NS_PER_TICK % 100),
	           (unsigned long long)(idle / NS_PER_SECOND),
	           (unsigned long long)(idle / NS_PER_TICK % 100));
}

static void loadavg(struct made_text *t)
{
	struct proc_load load;

	proc_load(&load);
	for (int i = 0; i < 3; i++) {
		uint32_t hundredths = (uint32_t)(((uint64_t)load.average[i] * 100 + 32768) >> 16);

		made_print(t, "%u.%02u ", hundredths / 100, hundredths % 100);
	}
	made_print(t, "1/%u %u\n", load.processes, load.last_number);
}

static void meminfo(struct made_text *t)
{
	static const char *const zero[] = {
	        "Buffers:",  "Cached:", "SwapCached:", "Active:", "Inactive:", "SwapTotal:",
	        "SwapFree:", "Dirty:",  "Writeback:",  "Shmem:",  "Slab:"};
	uint64_t total, unused;

	proc_memory(&total, &unused);
	made_print(t, "MemTotal:       %8lu kB\n", total * PAGE_KIB);
	made_print(t, "MemFree:        %8lu kB\n", unused * PAGE_KIB);
	made_print(t, "MemAvailable:   %8lu kB\n", unused * PAGE_KIB);
	for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
		made_print(t, "%-16s%8u kB\n", zero[i], 0u);
}

static void machine_stat(struct made_text *t)
{
	struct proc_load load;
	uint64_t now = cap_now(), idle;

	proc_load(&load);
	idle = now > load.cpu_ns ? now - load.cpu_ns : 0;
	for (int i = 0; i < 2; i++)
		made_print(t, "cpu%s %llu 0 0 %llu 0 0 0 0 0 0\n", i ? "0" : " ",
		           (unsigned long long)(load.cpu_ns / NS_PER_TICK),
		           (unsigned long long)(idle / NS_PER_TICK));
	made_print(t,
	           "intr 0\nctxt 0\nbtime %lld\nprocesses %u\nprocs_running 1\nprocs_blocked 0\n",
	           (long long)((cap_realtime() - (int64_t)now) / (int64_t)NS_PER_SECOND),
	           load.last_number);
}

static void version(struct made_text *t)
{
	made_print(t, "capOS version 0.1 #1\n");
}

static void cpuinfo(struct made_text *t)
{
	made_print(t, "processor\t: 0\n\n");
}

static void filesystems(struct made_text *t)
{
	made_print(t, "nodev\tproc\nnodev\tcapfiles\n");
}

int proc_file_of_machine(const char *name, struct made_text *text)
{
	static const struct {
		const char *name;
		void (*make)(struct made_text *t);
	} files[] = {{"uptime", uptime},           {"loadavg", loadavg},
	             {"meminfo", meminfo},         {"stat", machine_stat},
	             {"version", version},         {"cpuinfo", cpuinfo},
	             {"filesystems", filesystems}, {"sysvipc/msg", proc_queues},
	             {"sysvipc/sem", proc_sets},   {"sysvipc/shm", proc_segments}};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (strcmp(files[i].name, name))
			continue;
		files[i].make(text);
		return 0;
	}
	return 1;
}

/* ---- A process ---- */

static char state_of(const struct process_info *p)
{
	switch (p->state) {
	case PROCESS_INFO_STATE_STOPPED:
		return 'T';
	case PROCESS_INFO_STATE_ENDED:
		return 'Z';
	default: /* of others nothing tells whether they compute or wait */
		return p->number == process_id() ? 'R' : 'S';
	}
}

static void process_stat(const struct process_info *p, struct made_text *t)
{
	const int priority = p->priority ? -1 - (int)p->priority : 20 + p->nice;

	made_print(t, "%u (%s) %c %u %u %u 0 -1 0 0 0 0 0 ", p->number, p->name.ptr, state_of(p),
	           p->parent, p->group, p->session);
	made_print(t, "%llu 0 %llu 0 %d %d %u 0 %llu ",
	           (unsigned long long)(p->cpu_ns / NS_PER_TICK),
	           (unsigned long long)(p->children_cpu_ns / NS_PER_TICK), priority, p->nice,
	           p->threads, (unsigned long long)(p->start_ns / NS_PER_TICK));
	made_print(
	        t,
	        "%lu %lu 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 %u %u 0 0 0 0 0 0 0 0 "
	        "0 0 0\n",
	        p->mapped_pages * PAGE_BYTES, p->resident_pages, p->priority, p->policy);
}

static void signal_masks(struct made_text *t)
{
	uint64_t ignored = 0, caught = 0;

	for (int i = 1; i <= SIGNAL_MAX; i++) {
		void (*handler)(int) = signals.actions[i].handler;

		ignored |= handler == SIG_IGN ? SIGNAL_BIT(i) : 0;
		caught |= handler != SIG_IGN && handler != SIG_DFL ? SIGNAL_BIT(i) : 0;
	}
	made_print(t, "SigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
	           (unsigned long long)signal_here()->blocked, (unsigned long long)ignored,
	           (unsigned long long)caught);
}

/* As capget and prctl have it of all processes. */
static void privilege_lines(struct made_text *t)
{
	static const char *const sets[] = {"Inh", "Prm", "Eff", "Bnd", "Amb"};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		made_print(t, "Cap%s:\t%016x\n", sets[i], 0u);
	made_print(t, "NoNewPrivs:\t1\nSeccomp:\t0\n");
}

static void ids_line(struct made_text *t, const char *name, const struct cap_ids *ids,
                     uint32_t for_files)
{
	made_print(t, "%s:\t%u\t%u\t%u\t%u\n", name, ids->real, ids->effective, ids->saved,
	           for_files);
}

static void users_lines(const struct process_info *p, struct made_text *t)
{
	struct cap_identity whose;

	if (world_users(p->number, &whose))
		return; /* it has just ended */
	ids_line(t, "Uid", &whose.user, whose.file_user);
	ids_line(t, "Gid", &whose.group, whose.file_group);
	made_print(t, "Groups:\t");
	for (uint32_t i = 0; i < whose.ngroups; i++)
		made_print(t, "%u ", whose.groups[i]);
	made_print(t, "\n");
}

static void process_status_file(const struct process_info *p, struct made_text *t)
{
	static const char *const states[] = {"R (running)", "S (sleeping)", "T (stopped)",
	                                     "Z (zombie)"};
	char state = state_of(p);

	made_print(t, "Name:\t%s\nState:\t%s\nTgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t%u\n",
	           p->name.ptr,
	           states[state == 'R'   ? 0
	                  : state == 'S' ? 1
	                  : state == 'T' ? 2
	                                 : 3],
	           p->number, p->number, p->parent);
	made_print(t, "TracerPid:\t0\n");
	users_lines(p, t);
	made_print(t, "VmSize:\t%8lu kB\nVmRSS:\t%8lu kB\n", p->mapped_pages * PAGE_KIB,
	           p->resident_pages * PAGE_KIB);
	if (p->number == process_id())
		made_print(t, "VmLck:\t%8llu kB\n",
		           (unsigned long long)memory_locked_bytes() / 1024);
	made_print(t, "NSpid:\t%u\nNSpgid:\t%u\nNSsid:\t%u\nThreads:\t%u\n", p->number, p->group,
	           p->session, p->threads);
	if (p->number == process_id())
		signal_masks(t);
	privilege_lines(t);
}

static void statm(const struct process_info *p, struct made_text *t)
{
	made_print(t, "%lu %lu 0 0 0 0 0\n", p->mapped_pages, p->resident_pages);
}

static void comm(const struct process_info *p, struct made_text *t)
{
	made_print(t, "%s\n", p->name.ptr);
}

static void cmdline(const struct process_info *p, struct made_text *t)
{
	const struct process_member_command_params params = {.number = p->number};
	struct process_member_command_results results;
	struct capos_call call = {.buffer = pages_map(PAGES_SIZE(COMMAND_BYTES)),
	                          .size = COMMAND_BYTES};

	if (!call.buffer) {
		t->error = -ENOMEM;
		return;
	}
	/* A process that has ended meanwhile has none, as on Linux. */
	if (p->state != PROCESS_INFO_STATE_ENDED &&
	    !process_member_command(world_member(), &params, &results, &call))
		made_bytes(t, results.command.ptr, results.command.len);
	pages_unmap(call.buffer, PAGES_SIZE(COMMAND_BYTES));
}

/* The range that an address is in is called so. */
struct named_address {
	uint64_t address;
	const char *name;
};

static void print_mapping(struct made_text *t, const struct cap_mapping *m,
                          const struct named_address *names, size_t n)
{
	const char *name = "";

	for (size_t i = 0; i < n; i++) {
		if (m->start <= names[i].address && names[i].address < m->end)
			name = names[i].name;
	}
	made_print(t, "%012llx-%012llx %c%c%c%c %08llx 00:%02x 0 %s%s\n",
	           (unsigned long long)m->start, (unsigned long long)m->end,
	           m->access & CAP_RIGHT_READ ? 'r' : '-', m->access & CAP_RIGHT_WRITE ? 'w' : '-',
	           m->access & CAP_RIGHT_EXEC ? 'x' : '-', m->shared ? 's' : 'p',
	           (unsigned long long)m->offset, 0, *name ? "                          " : "",
	           name);
}

static uint64_t auxiliary(size_t key)
{
	for (const size_t *aux = __capos_auxv(); aux && aux[0]; aux += 2) {
		if (aux[0] == key)
			return aux[1];
	}
	return 0;
}

/* Of this process alone: where others have what is their secret. */
static void maps(const struct process_info *p, struct made_text *t)
{
	struct cap_mapping list[CAP_MAPPINGS_MAX];
	char image[PATH_BYTES];
	const struct named_address names[] = {{auxiliary(AT_PHDR), image},
	                                      {auxiliary(AT_ENTRY), image},
	                                      {(uint64_t)__builtin_frame_address(0), "[stack]"},
	                                      {(uint64_t)cap_ring(), "[ring]"},
	                                      {CAPOS_CLOCK_ADDR, "[clock]"}};
	uint64_t next = 0;
	uint32_t count;

	if (p->number != process_id()) {
		t->error = -EACCES;
		return;
	}
	report_image(image);
	do {
		if (cap_process_mappings(next, list, &count, &next))
			break;
		for (uint32_t i = 0; i < count; i++)
			print_mapping(t, &list[i], names, sizeof(names) / sizeof(names[0]));
	} while (next);
}

static void mounts(const struct process_info *p, struct made_text *t)
{
	(void)p;
	made_print(t, "files / capfiles rw 0 0\nproc /proc proc rw 0 0\n");
	for (uint32_t i = 0; i < volumes_count(); i++) {
		char path[PATH_BYTES];
		uint32_t number;

		if (!volume_at(i, path, &number))
			made_print(t, "volume%u %s 9p rw 0 0\n", number, path);
	}
}

static void limits(const struct process_info *p, struct made_text *t)
{
	static const struct {
		const char *name, *unit;
	} of[] = {{"Max cpu time", "seconds"},     {"Max file size", "bytes"},
	          {"Max data size", "bytes"},      {"Max stack size", "bytes"},
	          {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
	          {"Max processes", "processes"},  {"Max open files", "files"},
	          {"Max locked memory", "bytes"},  {"Max address space", "bytes"},
	          {"Max file locks", "locks"},     {"Max pending signals", "signals"},
	          {"Max msgqueue size", "bytes"},  {"Max nice priority", ""},
	          {"Max realtime priority", ""},   {"Max realtime timeout", "us"}};

	made_print(t, "%-25s %-20s %-20s %s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (uint32_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		struct rlimit limit;
		char value[2][24];
		rlim_t both[2];

		if (world_get_limit(p->number, i, &limit))
			continue;
		both[0] = limit.rlim_cur, both[1] = limit.rlim_max;
		for (int j = 0; j < 2; j++) {
			if (both[j] == RLIM_INFINITY)
				strcpy(value[j], "unlimited");
			else
				fmt_snprintf(value[j], sizeof(value[j]), "%llu",
				             (unsigned long long)both[j]);
		}
		made_print(t, "%-25s %-20s %-20s %s\n", of[i].name, value[0], value[1], of[i].unit);
	}
}

int proc_file_of_process(const struct process_info *p, const char *name, struct made_text *text)
{
	static const struct {
		const char *name;
		void (*make)(const struct process_info *p, struct made_text *t);
	} files[] = {{"stat", process_stat}, {"status", process_status_file},
	             {"statm", statm},       {"comm", comm},
	             {"cmdline", cmdline},   {"mounts", mounts},
	             {"limits", limits},     {"maps", maps}};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (strcmp(files[i].name, name))
			continue;
		files[i].make(p, text);
		return 0;
	}
	return 1;
}

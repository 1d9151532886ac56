/* SPDX-License-Identifier: MIT */
/*
 * `capos caps`: one line per capability that a process holds, as the kernel sees it, and one for
 * each that a program would be given: init holds them ready.  The lines are made from SystemStatus,
 * so they say what is, not what the manifest meant; only the grants behind the program's network
 * come from the request, since it is netstack that keeps to them.  Then the protections that are
 * on, each read from the running system or tried here.
 */
#include <string.h>

#include <capos/layout.h>
#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/network.h>
#include <capos/schema/process.h>
#include <capos/schema/service.h>
#include <capos/schema/terminal.h>

#include "init.h"

#define PROCESSES_MAX 64
#define NAME_MAX      32

struct holder {
	uint64_t id;
	char name[NAME_MAX];
};

static const char *const kind_names[] = {
        [CAPABILITY_ENTRY_KIND_PROCESS] = "Process",
        [CAPABILITY_ENTRY_KIND_SPAWNER] = "ProcessSpawner",
        [CAPABILITY_ENTRY_KIND_MEMORY] = "MemoryObject",
        [CAPABILITY_ENTRY_KIND_EVENT] = "Event",
        [CAPABILITY_ENTRY_KIND_ENDPOINT] = "Endpoint",
        [CAPABILITY_ENTRY_KIND_OBJECT] = "object",
        [CAPABILITY_ENTRY_KIND_TIMER] = "Timer",
        [CAPABILITY_ENTRY_KIND_ENTROPY] = "EntropySource",
        [CAPABILITY_ENTRY_KIND_LOG] = "Log",
        [CAPABILITY_ENTRY_KIND_POWER] = "PowerControl",
        [CAPABILITY_ENTRY_KIND_SYSTEM_STATUS] = "SystemStatus",
        [CAPABILITY_ENTRY_KIND_DEVICE_MANAGER] = "DeviceManager",
        [CAPABILITY_ENTRY_KIND_DEVICE_MMIO] = "DeviceMmio",
        [CAPABILITY_ENTRY_KIND_INTERRUPT] = "Interrupt",
        [CAPABILITY_ENTRY_KIND_DMA_POOL] = "DMAPool",
        [CAPABILITY_ENTRY_KIND_CODE_MAKER] = "CodeMaker",
        [CAPABILITY_ENTRY_KIND_ACCOUNT] = "Account",
        [CAPABILITY_ENTRY_KIND_LABELLER] = "Labeller",
};

static const char *capability_name(const struct capability_entry *e)
{
	const char *name = network_interface_name(e->interface);

	if (!name)
		name = service_interface_name(e->interface);
	if (!name)
		name = process_interface_name(e->interface);
	if (!name)
		name = terminal_interface_name(e->interface);
	if (e->kind != CAPABILITY_ENTRY_KIND_OBJECT || !name)
		name = kernel_interface_name(e->interface);
	if (!name && e->kind < sizeof(kind_names) / sizeof(kind_names[0]))
		name = kind_names[e->kind];
	return name ? name : "unknown";
}

/* The rights, in words, separated by commas; only those that mean something for the kind. */
static void rights_text(const struct capability_entry *e, char *out, uint32_t size)
{
	static const struct {
		uint32_t right;
		const char *name;
	} names[] = {
	        {CAP_RIGHT_READ, "read"},     {CAP_RIGHT_WRITE, "write"},
	        {CAP_RIGHT_EXEC, "exec"},     {CAP_RIGHT_SIGNAL, "signal"},
	        {CAP_RIGHT_WAIT, "wait"},     {CAP_RIGHT_RECV, "receive"},
	        {CAP_RIGHT_MANAGE, "manage"}, {CAP_RIGHT_KILL, "kill"},
	        {CAP_RIGHT_WATCH, "watch"},   {CAP_RIGHT_CALL, "call"},
	        {CAP_RIGHT_COPY, "copy"},
	};
	uint32_t meaningful = CAP_RIGHT_CALL | CAP_RIGHT_COPY;
	uint32_t length = 0;

	if (e->kind == CAPABILITY_ENTRY_KIND_MEMORY)
		meaningful |= CAP_RIGHT_READ | CAP_RIGHT_WRITE | CAP_RIGHT_EXEC | CAP_RIGHT_MANAGE;
	else if (e->kind == CAPABILITY_ENTRY_KIND_EVENT)
		meaningful |= CAP_RIGHT_SIGNAL | CAP_RIGHT_WAIT;
	else if (e->kind == CAPABILITY_ENTRY_KIND_ENDPOINT)
		meaningful |= CAP_RIGHT_RECV;
	else if (e->kind == CAPABILITY_ENTRY_KIND_PROCESS)
		meaningful |= CAP_RIGHT_MANAGE | CAP_RIGHT_KILL | CAP_RIGHT_WATCH;
	else if (e->kind == CAPABILITY_ENTRY_KIND_ACCOUNT)
		meaningful |= CAP_RIGHT_MANAGE | CAP_RIGHT_WATCH;
	out[0] = 0;
	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(e->rights & meaningful & names[i].right))
			continue;
		length += (uint32_t)fmt_snprintf(out + length, size - length, "%s%s",
		                                 length ? "," : "", names[i].name);
		if (length >= size)
			return;
	}
}

static void object_text(const struct capability_entry *e, char *out, uint32_t size)
{
	switch (e->kind) {
	case CAPABILITY_ENTRY_KIND_DEVICE_MMIO:
	case CAPABILITY_ENTRY_KIND_INTERRUPT:
	case CAPABILITY_ENTRY_KIND_DMA_POOL:
		fmt_snprintf(out, size, " pci %02x:%02x.%x", (unsigned)(e->object >> 8) & 0xff,
		             (unsigned)(e->object >> 3) & 0x1f, (unsigned)e->object & 7);
		break;
	case CAPABILITY_ENTRY_KIND_OBJECT:
		fmt_snprintf(out, size, " object %lu", (unsigned long)e->object);
		break;
	default:
		out[0] = 0;
	}
}

static void append(char *out, uint32_t size, const char *text)
{
	uint32_t length = (uint32_t)strlen(out);

	fmt_snprintf(out + length, size - length, "%s%s", length ? "," : "", text);
}

static void grants_text(char *out, uint32_t size)
{
	out[0] = 0;
	for (uint32_t i = 0; i < init.request.ngrants; i++) {
		const struct network_grant *g = &init.request.grants[i];
		char text[300];

		switch (g->which) {
		case NETWORK_GRANT_ALL:
			append(out, size, "all");
			break;
		case NETWORK_GRANT_CONNECT:
			fmt_snprintf(text, sizeof(text), "connect=%s:%u", g->connect.host.ptr,
			             g->connect.port);
			if (!g->connect.port)
				text[strlen(text) - 1] = '*';
			append(out, size, text);
			break;
		case NETWORK_GRANT_LISTEN:
			fmt_snprintf(text, sizeof(text), "listen=%u", g->listen);
			append(out, size, text);
			break;
		case NETWORK_GRANT_UDP:
			append(out, size, "udp");
			break;
		case NETWORK_GRANT_ICMP:
			append(out, size, "icmp");
			break;
		default:
			append(out, size, "unknown");
		}
	}
}

static void send_capability(const char *process, const struct capability_entry *e,
                            const char *grants)
{
	char rights[96], object[32];

	rights_text(e, rights, sizeof(rights));
	object_text(e, object, sizeof(object));
	control_send("caps %-15s %-18s %-15s %-*s%s%s%s", process, capability_name(e),
	             e->server.len ? e->server.ptr : "kernel", object[0] ? 28 : 0,
	             rights[0] ? rights : "-", object, grants[0] ? ": " : "", grants);
}

/* One of init's own, if the program is to get it. */
static void send_given(const struct given *given, const struct capability_entry *e)
{
	static char grants[1024];

	for (uint32_t i = 0; i < given->n; i++) {
		if (CAP_INDEX(given->send[i].cap) != e->index)
			continue;
		grants[0] = 0;
		if (given->caps[i].interface == NETWORK_MANAGER_INTERFACE)
			grants_text(grants, sizeof(grants));
		send_capability("program", e, grants);
	}
}

static bool is_moved(const struct given *given, const struct capability_entry *e)
{
	for (uint32_t i = 0; i < given->n; i++)
		if (CAP_INDEX(given->send[i].cap) == e->index &&
		    given->send[i].flags & CAPOS_SEND_MOVE)
			return true;
	return false;
}

static void send_process(const struct holder *holder, const struct given *given, bool given_only)
{
	uint32_t index = 0;

	do {
		/* Not init_buffer: sending a line may use that. */
		static _Alignas(8) uint8_t buffer[CAPOS_KERNEL_MESSAGE_MAX];
		struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
		struct system_status_capabilities_params params = {.process_id = holder->id,
		                                                   .first_index = index};
		struct system_status_capabilities_results results;

		/* A process may have ended since the list was made. */
		if (system_status_capabilities(INIT_CAP(SYSTEM_STATUS), &params, &results, &call))
			return;
		for (uint32_t i = 0; i < results.list.count; i++) {
			struct capability_entry entry;

			if (capability_entry_get(&results.list, i, &entry) ||
			    entry.kind == CAPABILITY_ENTRY_KIND_NONE)
				continue;
			if (given_only)
				send_given(given, &entry);
			else if (!given || !is_moved(given, &entry))
				send_capability(holder->name, &entry, "");
		}
		if (results.next_index <= index)
			return;
		index = results.next_index;
	} while (index);
}

/* ---- Protections ---- */

extern uintptr_t __stack_chk_guard; /* libcapos/ownimage.c */

static void send_protection(const char *name, bool on, uint32_t bits)
{
	char random[16] = "";

	if (bits)
		fmt_snprintf(random, sizeof(random), "%u bits", bits);
	control_send("caps %-52s %-4s%s%s", name, on ? "on" : "OFF", random[0] ? " " : "", random);
}

/* Whether memory that can be written is refused to be executed: tried. */
static bool data_is_not_code(void)
{
	cap_t memory;
	void *address;
	bool refused;

	if (cap_memory_create(CAPOS_PAGE_SIZE, &memory))
		return false;
	refused = cap_memory_map(memory, 0, CAPOS_PAGE_SIZE, CAP_RIGHT_READ | CAP_RIGHT_EXEC,
	                         &address) == CAP_ERIGHTS;
	cap_release(memory);
	return refused;
}

static bool chosen(uint64_t address, uint64_t first)
{
	return address - first < CAPOS_LAYOUT_SPAN + CAPOS_STACK_SIZE &&
	       address - first >= 1ull << 20;
}

/* Those of processes, by the example of this one, which is started as all are. */
static void send_own_protections(void)
{
	uint64_t image = (uint64_t)&inventory_send, ring = (uint64_t)cap_ring();
	uint64_t stack = (uint64_t)__builtin_frame_address(0);

	send_protection("memory is data or code, never both", data_is_not_code(), 0);
	send_protection("place of a program's image", chosen(image, CAPOS_IMAGE_FIRST),
	                CAPOS_LAYOUT_BITS);
	send_protection("place of a program's stack", chosen(stack, CAPOS_STACK_FIRST),
	                CAPOS_LAYOUT_BITS);
	send_protection("place of a program's mappings", chosen(ring, CAPOS_MAP_FIRST),
	                CAPOS_LAYOUT_BITS);
	send_protection("stack protector in services and drivers", __stack_chk_guard != 0, 56);
}

static void send_protections(void)
{
	static _Alignas(8) uint8_t buffer[CAPOS_KERNEL_MESSAGE_MAX];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct system_status_protections_results results;
	int result = system_status_protections(INIT_CAP(SYSTEM_STATUS), &results, &call);

	if (result)
		init_fail(125, "the list of protections: %s", cap_error_text(result));
	control_send("caps %-52s %-4s", "PROTECTION", "");
	for (uint32_t i = 0; i < results.list.count; i++) {
		struct protection p;

		if (!protection_get(&results.list, i, &p))
			send_protection(p.name.ptr, p.on, p.bits);
	}
	send_own_protections();
}

/* All processes, as many as there is room for: how many. */
static uint32_t list_processes(struct holder *holders)
{
	struct system_status_processes_params params = {0};
	struct system_status_processes_results results;
	uint32_t n = 0;

	do {
		struct capos_call call = INIT_CALL();
		int result =
		        system_status_processes(INIT_CAP(SYSTEM_STATUS), &params, &results, &call);
		if (result)
			init_fail(125, "the list of processes: %s", cap_error_text(result));
		for (uint32_t i = 0; i < results.list.count && n < PROCESSES_MAX; i++) {
			struct process_entry entry;

			if (process_entry_get(&results.list, i, &entry))
				continue;
			holders[n].id = entry.id;
			fmt_snprintf(holders[n].name, NAME_MAX, "%s", entry.name.ptr);
			n++;
		}
		params.first_id = results.next_id;
	} while (params.first_id != 0 && n < PROCESSES_MAX);
	return n;
}

void inventory_send(const struct given *given)
{
	static struct holder holders[PROCESSES_MAX];
	uint32_t n = list_processes(holders);

	control_send("caps %-15s %-18s %-15s %-28s %s", "PROCESS", "CAPABILITY", "SERVER", "RIGHTS",
	             "OBJECT");
	for (uint32_t i = 0; i < n; i++)
		send_process(&holders[i], i == 0 ? given : NULL, false);
	if (n)
		send_process(&holders[0], given, true);
	send_protections();
}

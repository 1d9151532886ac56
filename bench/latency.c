/* SPDX-License-Identifier: MIT */
/*
 * How long the kernel keeps interrupts off, by what an unprivileged program asks of it: started in
 * init's place, it runs latency_load once for each kind of request and measures in two ways.  The
 * kernel says its own longest time from an entry to the next point where interrupts come in, and
 * what it was doing; and this program, which comes before the other one, sleeps for a millisecond
 * again and again and notes by how much it woke too late.
 *
 * With real time both also measure what else the host does, so each kind runs several times and
 * the least counts; by instruction count (BENCH_CLOCK in local.mk) they do not.
 */
#include <stdarg.h>
#include <string.h>

#include <capos/archive.h>
#include <capos/cap.h>
#include <capos/layout.h>
#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/start.h>

#define BOOT          CAP_GIVEN(0)
#define SPAWNER       CAP_GIVEN(1)
#define LOG           CAP_GIVEN(2)
#define TIMER         CAP_GIVEN(3)
#define ENTROPY       CAP_GIVEN(4)
#define SYSTEM_STATUS CAP_GIVEN(6)

#define RUNS     5u
#define SLEEP_NS 1000000u

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *format, ...)
{
	char line[200];
	va_list args;
	va_start(args, format);
	int length = fmt_vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	struct log_write_params params = {.text = {line, (uint32_t)length}};
	log_write(LOG, &params, NULL);
}

static cap_t find_image(const char *name)
{
	struct memory_object_size_results size = {};
	void *archive;
	if (memory_object_size(BOOT, &size, NULL) ||
	    cap_memory_map(BOOT, 0, size.size, CAP_RIGHT_READ, &archive))
		return CAP_NULL;
	const struct capos_archive_header *h = archive;
	const struct capos_archive_entry *e = (const struct capos_archive_entry *)(h + 1);
	uint64_t buffer[16];
	for (uint32_t i = 0; i < h->count; i++, e++) {
		if (strcmp(e->name, name) != 0)
			continue;
		struct memory_object_slice_params params = {.offset = e->offset, .size = e->size};
		struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
		if (!memory_object_slice(BOOT, &params, NULL, &call))
			return call.caps[0];
	}
	return CAP_NULL;
}

static int start(cap_t image, const char *load, const char *size, cap_t *process)
{
	static _Alignas(16) uint8_t block[2048];
	static uint64_t buffer[512];
	const char *args[] = {"latency_load", load, size, NULL}, *env[] = {NULL};
	struct start_params params = {.process_name = load, .args = args, .env = env};
	uint32_t length;
	const struct capos_send_cap send[] = {
	        {LOG, CAP_RIGHTS_ALL, 0},     {TIMER, CAP_RIGHTS_ALL, 0},
	        {ENTROPY, CAP_RIGHTS_ALL, 0}, {image, CAP_RIGHTS_ALL, 0},
	        {image, CAP_RIGHTS_ALL, 0},
	};
	int result = start_block_build(&params, block, sizeof(block), &length);
	if (result)
		return result;
	struct process_spawner_spawn_params spawn = {.name = {load, (uint32_t)strlen(load)},
	                                             .image_index = 4,
	                                             .load_bias = CAPOS_IMAGE_FIRST,
	                                             .start_block = MSG_DATA(block, length)};
	struct capos_call call = {
	        .send_caps = send, .send_ncaps = 5, .buffer = buffer, .size = sizeof(buffer)};
	result = process_spawner_spawn(SPAWNER, &spawn, NULL, &call);
	*process = !result ? call.caps[0] : CAP_NULL;
	return result;
}

struct result {
	struct system_status_latency_results kernel;
	uint64_t late_ns;
	uint32_t status;
};

/* Runs the load once and watches it to its end. */
static struct result watch(cap_t image, const char *load, const char *size)
{
	struct result r = {.status = UINT32_MAX};
	cap_t process;
	int error = start(image, load, size, &process);
	if (error) {
		print("%s cannot be started: %s", load, cap_error_text(error));
		return r;
	}
	system_status_latency(SYSTEM_STATUS, &(struct system_status_latency_params){true},
	                      &r.kernel, NULL);
	struct process_status_results status = {.alive = true};
	uint64_t buffer[64];
	while (status.alive) {
		uint64_t before = cap_now();
		cap_sleep(SLEEP_NS);
		uint64_t late = cap_now() - before - SLEEP_NS;
		if (late > r.late_ns)
			r.late_ns = late;
		struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
		process_status(process, &status, &call);
	}
	struct process_wait_results end;
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	if (!process_wait(process, &end, &call))
		r.status = end.status;
	cap_release(process);
	system_status_latency(SYSTEM_STATUS, &(struct system_status_latency_params){false},
	                      &r.kernel, NULL);
	return r;
}

static void measure(cap_t image, const char *load, const char *size)
{
	static const char *const entries[] = {"submission", "fault", "timer", "interrupt", "work"};
	struct result best = {.kernel.longest_ns = UINT64_MAX, .late_ns = UINT64_MAX};
	for (unsigned i = 0; i < RUNS; i++) {
		struct result r = watch(image, load, size);
		if (r.kernel.longest_ns < best.kernel.longest_ns)
			best.kernel = r.kernel;
		if (r.late_ns < best.late_ns)
			best.late_ns = r.late_ns;
		if (r.status != 0)
			best.status = r.status;
	}
	print("%-14s %4s %8lu %8lu  %s, opcode %u, method %u, interface %lx%s", load, size,
	      (unsigned long)best.kernel.longest_ns / 1000, (unsigned long)best.late_ns / 1000,
	      best.kernel.entry < 5 ? entries[best.kernel.entry] : "?", best.kernel.op,
	      best.kernel.method, (unsigned long)best.kernel.interface,
	      best.status != 0 ? " (it failed)" : "");
}

int main(void)
{
	static const struct {
		const char *load, *part; /* of memory, for those that take some: MiB of 256 */
	} loads[] = {
	        {"nothing", NULL}, {"log", NULL},     {"touch", "64"},   {"fork", "64"},
	        {"protect", "64"}, {"unmap", "64"},   {"exec", "64"},    {"private-map", "32"},
	        {"resize", "64"},  {"commit", "64"},  {"mappings", "1"}, {"waiters", NULL},
	        {"futexes", NULL}, {"timers", NULL},  {"calls", NULL},   {"capabilities", NULL},
	        {"message", NULL}, {"entropy", NULL}, {"threads", NULL}, {"end-threads", NULL},
	        {"locks", NULL},
	};
	struct system_status_memory_results memory = {};
	cap_t image = find_image("sbin/latency_load");
	system_status_memory(SYSTEM_STATUS, &memory, NULL);
	print("interrupts off at most, and how late a service woke; microseconds, the least of %u "
	      "runs",
	      RUNS);
	print("%-14s %4s %8s %8s  %s", "load", "MiB", "kernel", "late", "what the kernel did");
	for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		char size[24] = "0";
		uint64_t mib = 0;
		for (const char *digit = loads[i].part ? loads[i].part : "0"; *digit; digit++)
			mib = mib * 10 + (uint64_t)(*digit - '0');
		/* The same part of any machine's memory, but for what is bounded otherwise. */
		if (mib > 1)
			mib = mib * (memory.total_pages >> 8) / 256;
		fmt_snprintf(size, sizeof(size), "%lu", (unsigned long)mib);
		measure(image, loads[i].load, size);
	}
	return 0;
}

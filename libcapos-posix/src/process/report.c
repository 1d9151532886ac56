/* SPDX-License-Identifier: MIT */
/*
 * What a process says of itself: its image, its directories, its descriptors.  Another process is
 * asked through the process service, and answers where it would take a signal: nobody reads it
 * without its doing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <capos/format.h>
#include <capos/schema/process_client.h>
#include <capos/schema/service_client.h>
#include <capos/schema/status.h>

#include "core/core.h"
#include "file/file.h"
#include "process/exec_state.h"
#include "process/proc.h"
#include "process/process.h"
#include "process/report.h"
#include "process/world.h"

#define REPORT_BYTES   8192u                 /* as ProcessMember.report takes it */
#define REPORT_MESSAGE (REPORT_BYTES + 512u) /* with the message around it */
#define REPORT_WAIT_NS 500000000ull /* a process that waits for one that asks answers nothing */
#define RECORD_NAME    32u          /* bytes of the longest name of a record, with its 0 */

/* ---- Descriptors ---- */

static const char deleted[] = " (deleted)";

/* As Linux has it.  Its length; 0: it does not fit. */
static size_t write_path(const struct msg_text *path, bool gone, char *out, size_t size)
{
	if (path->len + strlen(deleted) >= size)
		return 0;
	memcpy(out, path->ptr, path->len);
	strcpy(out + path->len, gone ? deleted : "");
	return path->len;
}

static size_t path_with_gone(cap_t directory, char *out, size_t size)
{
	struct directory_path_results results;
	struct capos_call call = FILES_CALL();

	if (directory_path(directory, &results, &call))
		return 0;
	return write_path(&results.path, results.gone, out, size);
}

/* The path of a file or a directory: its length, 0: it has none. */
static size_t path_of_file(struct file *f, mode_t mode, char *out, size_t size)
{
	struct file_path_results results;
	struct capos_call call = FILES_CALL();

	if (S_ISDIR(mode) && file_directory(f))
		return path_with_gone(file_directory(f), out, size);
	if (!S_ISREG(mode) || !file_object(f) || file_path(file_object(f), &results, &call))
		return 0;
	return write_path(&results.path, results.gone, out, size);
}

static const char *kind_of(mode_t mode)
{
	return S_ISFIFO(mode)   ? "pipe"
	       : S_ISSOCK(mode) ? "socket"
	       : S_ISDIR(mode)  ? "directory"
	       : S_ISCHR(mode)  ? "device"
	       : S_ISREG(mode)  ? "file"
	                        : "anon_inode";
}

void report_descriptor(struct file *f, char *out, size_t size)
{
	struct stat st = {.st_mode = 0};
	size_t length = core_hooks.terminal_path(f, out, size);

	if (length && length < size) {
		out[length] = 0;
		return;
	}
	if (f->ops->stat)
		(void)f->ops->stat(f, &st); /* without it: of no known kind */
	if (path_of_file(f, st.st_mode, out, size))
		return;
	if (S_ISCHR(st.st_mode) && device_name(st.st_rdev)) {
		fmt_snprintf(out, size, "/dev/%s", device_name(st.st_rdev));
		return;
	}
	fmt_snprintf(out, size, "%s:[%lu]", kind_of(st.st_mode), (unsigned long)st.st_ino);
}

/* ---- Making ---- */

static void record(struct made_text *t, const char *name, const char *text)
{
	if (t->used + strlen(name) + strlen(text) + 2 > REPORT_BYTES)
		return; /* of one with very many descriptors the last are not said */
	made_bytes(t, name, strlen(name) + 1);
	made_bytes(t, text, strlen(text) + 1);
}

void report_directory(char out[PATH_BYTES])
{
	path_absolute(".", out);
	if (!out[0] && path_cwd()) /* it was removed */
		(void)path_with_gone(path_cwd(), out, PATH_BYTES);
	if (strlen(out) > 2 && !strcmp(out + strlen(out) - 2, "/."))
		out[strlen(out) - 2] = 0;
	else if (!strcmp(out, "/."))
		out[1] = 0;
}

void report_image(char out[PATH_BYTES])
{
	exec_own_path(out);
	if (out[0])
		path_follow(out);
}

static int record_descriptor(int fd, struct file *f, bool close_on_exec, void *text)
{
	char name[16], target[PATH_BYTES];
	const char *in_net;

	(void)close_on_exec;
	fmt_snprintf(name, sizeof(name), "fd/%d", fd);
	report_descriptor(f, target, sizeof(target));
	record(text, name, target);
	in_net = proc_socket(f, target, sizeof(target));
	if (in_net)
		record(text, in_net, target);
	return 0;
}

static void make(struct made_text *t)
{
	char path[PATH_BYTES];

	report_image(path);
	record(t, "exe", path);
	report_directory(path);
	record(t, "cwd", path);
	record(t, "root", "/");
	(void)fd_each(record_descriptor, t);
}

/* A call that is being made may have its answer in the files' message buffer: it is put back. */
void report_give(void)
{
	const size_t size = PAGES_SIZE(sizeof(files_message) + REPORT_MESSAGE);
	uint8_t *kept = pages_map(size);
	struct made_text t = {.bytes = NULL};
	struct process_member_report_params params = {.report = MSG_DATA("", 0)};
	struct capos_call call = {.size = REPORT_MESSAGE};

	if (kept) {
		call.buffer = kept + sizeof(files_message);
		memcpy(kept, files_message, sizeof(files_message));
		make(&t);
		memcpy(files_message, kept, sizeof(files_message));
		if (!t.error)
			params.report = MSG_DATA((uint8_t *)t.bytes, (uint32_t)t.used);
	}
	if (world_exists())
		(void)process_member_report(world_member(), &params, kept ? &call : NULL);
	made_drop(&t);
	if (kept)
		pages_unmap(kept, size);
}

/* ---- Asking ---- */

/* The 0 behind a text of a report; NULL: there is none within `most` bytes.  Another process made
 * it, and it goes to buffers that are as long as what an honest one says. */
static const char *find_end(const char *text, const char *end, size_t most)
{
	size_t left = (size_t)(end - text);

	return memchr(text, 0, left < most ? left : most);
}

int report_get(uint32_t number, report_visit *visit, void *context)
{
	const size_t size = PAGES_SIZE(REPORT_MESSAGE);
	const struct process_member_ask_params params = {.number = number};
	struct process_member_ask_results results;
	struct capos_call call = {
	        .buffer = pages_map(size), .size = REPORT_MESSAGE, .timeout_ns = REPORT_WAIT_NS};
	const char *at, *end;
	int result;

	if (!call.buffer)
		return -ENOMEM;
	result = world_exists() ? process_member_ask(world_member(), &params, &results, &call)
	                        : STATUS_NO_ENTRY;
	if (result == CAP_ETIMEDOUT || result == STATUS_WOULD_BLOCK)
		result = -EAGAIN;
	else
		result = errno_of(result);
	at = (const char *)results.report.ptr;
	end = result ? at : at + results.report.len;
	while (!result && at < end) {
		const char *text = find_end(at, end, RECORD_NAME);
		const char *after = text ? find_end(text + 1, end, PATH_BYTES) : NULL;

		if (!after)
			break;
		result = visit(at, text + 1, context);
		at = after + 1;
	}
	pages_unmap(call.buffer, size);
	return result;
}

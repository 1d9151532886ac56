/* SPDX-License-Identifier: MIT */
/*
 * --output: sends the files and directories that the request names to the host, when the program
 * has ended (capos/output.h).  The program made them, and processes that it left behind may still
 * change them: nothing here grows with the depth or the number of what they built, and each file is
 * read up to the size that it has when it is opened.
 */
#include <string.h>

#include <capos/log.h>
#include <capos/output.h>
#include <capos/schema/service_client.h>
#include <capos/schema/status.h>

#include "init.h"
#include "stream.h"

#define READ_MAX 61440u /* bytes of one File.read (schema/service.capnp) */

static struct stream out = {.name = "output", .wake_bits = WAKE_OUTPUT};

/* The directories that are open, from the one asked for downwards. */
static struct level {
	cap_t directory;
	uint64_t position; /* where its list goes on */
	struct file_stat stat;
} levels[CAPOS_OUTPUT_DEPTH];
static uint32_t depth;

/* Of Directory.list: its names are in use while other calls are made. */
static _Alignas(8) uint8_t list_buffer[16384];
/* Of File.read: what is being sent is kept here until it is sent. */
static _Alignas(8) uint8_t file_buffer[CAPOS_MESSAGE_MAX];

struct name {
	const char *text;
	uint32_t length;
};
static const struct name no_name;

/* ---- Records ---- */

static bool send_record(enum capos_output_kind kind, struct name name, const struct file_stat *stat,
                        const void *payload, uint32_t length)
{
	struct capos_output_record record = {
	        .magic = CAPOS_OUTPUT_MAGIC,
	        .kind = (uint16_t)kind,
	        .name_length = (uint16_t)name.length,
	        .length = length,
	        .mode = stat ? stat->mode : 0,
	        .modify_ns = stat ? stat->modify_ns : 0,
	};

	return stream_send(&out, &record, sizeof(record)) &&
	       stream_send(&out, name.text, name.length) && stream_send(&out, payload, length);
}

static bool send_error(struct name name, int error)
{
	char text[400];
	int length = fmt_snprintf(text, sizeof(text), "%.*s%s%s", (int)name.length,
	                          name.text ? name.text : "", name.length ? ": " : "",
	                          cap_error_text(error));

	return send_record(CAPOS_OUTPUT_ERROR, no_name, NULL, text,
	                   length < (int)sizeof(text) ? (uint32_t)length : sizeof(text) - 1);
}

/* ---- One entry ---- */

/* Opens path in directory.  CAP_OK with the capability and stat, or an error. */
static int open_at(cap_t directory, struct name path, uint32_t flags, cap_t *opened,
                   struct file_stat *stat)
{
	struct capos_call call = INIT_CALL();
	struct directory_open_params params = {.path = {.ptr = path.text, .len = path.length},
	                                       .flags = flags};
	struct directory_open_results results;
	int result = directory_open(directory, &params, &results, &call);

	if (result)
		return result;
	if (results.file_index >= call.ncaps)
		return CAP_EMESSAGE;
	*opened = call.caps[results.file_index];
	*stat = results.stat;
	return CAP_OK;
}

static bool send_bytes(cap_t file, struct name name, uint64_t size)
{
	uint64_t offset = 0;

	while (offset < size) {
		struct capos_call call = {.buffer = file_buffer, .size = sizeof(file_buffer)};
		uint64_t left = size - offset;
		struct file_read_params params = {
		        .offset = offset, .length = left < READ_MAX ? (uint32_t)left : READ_MAX};
		struct file_read_results results;
		int result = file_read(file, &params, &results, &call);

		if (result)
			return send_error(name, result);
		if (!results.data.len)
			break; /* it was cut meanwhile */
		if (!send_record(CAPOS_OUTPUT_DATA, no_name, NULL, results.data.ptr,
		                 results.data.len))
			return false;
		offset += results.data.len;
	}
	return true;
}

/* name: as the record has it, which is empty for what was asked for by path. */
static bool send_file(cap_t directory, struct name path, uint32_t flags, struct name name)
{
	struct file_stat stat;
	cap_t file;
	int result = open_at(directory, path, OPEN_READ | flags, &file, &stat);
	bool sent;

	if (result)
		return send_error(path, result);
	if (stat.type != FILE_TYPE_REGULAR)
		sent = send_error(path, STATUS_INVALID_ARGUMENT);
	else
		sent = send_record(CAPOS_OUTPUT_FILE, name, &stat, NULL, 0) &&
		       send_bytes(file, path, stat.size);
	cap_release(file);
	return sent;
}

static bool send_link(cap_t directory, struct name name)
{
	struct capos_call call = INIT_CALL();
	struct directory_read_link_params params = {.path = {.ptr = name.text, .len = name.length}};
	struct directory_read_link_results results;
	int result = directory_read_link(directory, &params, &results, &call);

	if (result)
		return send_error(name, result);
	return send_record(CAPOS_OUTPUT_SYMLINK, name, NULL, results.target.ptr,
	                   results.target.len);
}

/* ---- Directories ---- */

static bool enter(cap_t directory, struct name path, uint32_t flags, struct name name)
{
	struct level *level = &levels[depth];
	int result;

	if (depth == CAPOS_OUTPUT_DEPTH)
		return send_error(path, STATUS_NAME_TOO_LONG);
	result = open_at(directory, path, OPEN_DIRECTORY | flags, &level->directory, &level->stat);
	if (result)
		return send_error(path, result);
	level->position = 0;
	depth++;
	return send_record(CAPOS_OUTPUT_ENTER, name, NULL, NULL, 0);
}

static bool leave(void)
{
	struct level *level = &levels[--depth];

	cap_release(level->directory);
	return send_record(CAPOS_OUTPUT_LEAVE, no_name, &level->stat, NULL, 0);
}

static bool is_dots(struct name name)
{
	return (name.length == 1 && name.text[0] == '.') ||
	       (name.length == 2 && name.text[0] == '.' && name.text[1] == '.');
}

/* Sends the next part of the innermost directory's list, up to and including a directory in it,
 * which is the innermost one then. */
static bool send_some(void)
{
	struct level *level = &levels[depth - 1];
	struct capos_call call = {.buffer = list_buffer, .size = sizeof(list_buffer)};
	struct directory_list_params params = {.position = level->position};
	struct directory_list_results results;
	int result = directory_list(level->directory, &params, &results, &call);
	bool sent = true;

	if (result)
		return send_error(no_name, result) && leave();
	if (!results.entries.count)
		return leave();
	for (uint32_t i = 0; i < results.entries.count && sent; i++) {
		struct directory_entry entry;

		if (directory_entry_get(&results.entries, i, &entry))
			return send_error(no_name, CAP_EMESSAGE) && leave();
		struct name name = {.text = entry.name.ptr, .length = entry.name.len};
		level->position = entry.position;
		if (is_dots(name) || name.length > CAPOS_OUTPUT_NAME)
			continue;
		if (entry.type == FILE_TYPE_DIRECTORY)
			return enter(level->directory, name, OPEN_NO_FOLLOW, name);
		sent = entry.type == FILE_TYPE_SYMLINK
		               ? send_link(level->directory, name)
		               : send_file(level->directory, name, OPEN_NO_FOLLOW, name);
	}
	return sent;
}

static bool send_path(cap_t root, const char *path)
{
	struct capos_call call = INIT_CALL();
	struct name name = {.text = path, .length = (uint32_t)strlen(path)};
	struct directory_stat_params params = {.path = {.ptr = name.text, .len = name.length},
	                                       .follow_link = true};
	struct directory_stat_results results;
	int result = directory_stat(root, &params, &results, &call);
	bool sent;

	if (!send_record(CAPOS_OUTPUT_BEGIN, no_name, NULL, NULL, 0))
		return false;
	if (result)
		sent = send_error(no_name, result);
	else if (results.stat.type == FILE_TYPE_DIRECTORY)
		sent = enter(root, name, 0, no_name);
	else
		sent = send_file(root, name, 0, no_name);
	while (sent && depth)
		sent = send_some();
	while (depth)
		cap_release(levels[--depth].directory);
	return sent && send_record(CAPOS_OUTPUT_END, no_name, NULL, NULL, 0);
}

void output_send(void)
{
	cap_t root = service_export(DIRECTORY_INTERFACE, NULL);

	if (!init.request.noutputs)
		return;
	if (root == CAP_NULL || service_export(BYTE_STREAM_INTERFACE, out.name) == CAP_NULL) {
		log_line("output: this system has no console stream for it, or no files");
		return;
	}
	for (uint32_t i = 0; i < init.request.noutputs; i++)
		if (!send_path(root, init.request.outputs[i]))
			return; /* the host takes nothing more, and knows why */
	stream_drain(&out);
}

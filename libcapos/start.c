/* SPDX-License-Identifier: MIT */
/*
 * The start block, both ways: built for a new process, and read by the process that finds it at its
 * stack pointer.  Everything in a block that is built is within the caller's buffer; of a block
 * that is read, the StartInfo message goes through the checking reader like any other.
 */
#include <string.h>

#include <capos/start.h>
#include <capos/schema/manifest.h>

#define START_CAPS_MAX 64 /* named capabilities of one process; bounds the stack used here */

enum {
	AT_NULL = 0,
	AT_PHDR = 3,
	AT_PHENT = 4,
	AT_PHNUM = 5,
	AT_PAGESZ = 6,
	AT_BASE = 7,
	AT_FLAGS = 8,
	AT_ENTRY = 9,
	AT_UID = 11,
	AT_EUID = 12,
	AT_GID = 13,
	AT_EGID = 14,
	AT_HWCAP = 16,
	AT_CLKTCK = 17,
	AT_SECURE = 23,
	AT_RANDOM = 25,
	AT_EXECFN = 31,
};
#define AUX_ENTRIES 19 /* as many as write_aux writes, with AT_NULL */
#define RANDOM_SIZE 16u

/* Where the next bytes of the block go, and the address that the buffer's first byte will have. */
struct block {
	uint8_t *buffer;
	uint32_t size;
	uint32_t used;
	uint64_t address;
};

static uint32_t count_strings(const char *const *strings)
{
	uint32_t n = 0;

	while (strings && strings[n])
		n++;
	return n;
}

static uint64_t strings_size(const char *const *strings)
{
	uint64_t total = 0;

	for (; strings && *strings; strings++)
		total += strlen(*strings) + 1;
	return total;
}

static void put_word(struct block *b, uint64_t *place, uint64_t word)
{
	memcpy(b->buffer + *place, &word, sizeof(word));
	*place += sizeof(word);
}

/* The address of the copy. */
static uint64_t put_bytes(struct block *b, const void *bytes, uint32_t length)
{
	uint64_t address = b->address + b->used;

	memcpy(b->buffer + b->used, bytes, length);
	b->used += length;
	return address;
}

static void put_strings(struct block *b, uint64_t *place, const char *const *strings)
{
	for (; strings && *strings; strings++)
		put_word(b, place, put_bytes(b, *strings, (uint32_t)strlen(*strings) + 1));
	put_word(b, place, 0);
}

static void write_aux(struct block *b, uint64_t *place, const struct start_params *p,
                      uint64_t random, uint64_t execfn, uint64_t info, uint32_t info_length)
{
	const uint64_t aux[AUX_ENTRIES][2] = {
	        {AT_PHDR, p->image.phdr},
	        {AT_PHENT, p->image.phent},
	        {AT_PHNUM, p->image.phnum},
	        {AT_PAGESZ, CAPOS_PAGE_SIZE},
	        {AT_BASE, p->image.base},
	        {AT_FLAGS, 0},
	        {AT_ENTRY, p->image.entry},
	        {AT_UID, p->ids.user},
	        {AT_EUID, p->ids.effective_user},
	        {AT_GID, p->ids.group},
	        {AT_EGID, p->ids.effective_group},
	        {AT_HWCAP, 0},
	        {AT_CLKTCK, 100},
	        {AT_SECURE, 0},
	        {AT_RANDOM, random},
	        {AT_EXECFN, execfn},
	        {AT_CAPOS_START, info},
	        {AT_CAPOS_START_LENGTH, info_length},
	        {AT_NULL, 0},
	};

	for (int i = 0; i < AUX_ENTRIES; i++) {
		put_word(b, place, aux[i][0]);
		put_word(b, place, aux[i][1]);
	}
}

static int write_info(struct block *b, const struct start_params *p, uint32_t *length)
{
	struct named_capability named[START_CAPS_MAX];
	struct msg_builder builder;
	struct start_info info = {.capabilities = {.count = p->ncaps, .items = named}};
	int result;

	if (p->ncaps > START_CAPS_MAX)
		return CAP_ETOOBIG;
	memset(named, 0, sizeof(named));
	for (uint32_t i = 0; i < p->ncaps; i++) {
		named[i].name = MSG_TEXT(p->caps[i].name);
		named[i].id = p->caps[i].id;
		named[i].interface = p->caps[i].interface;
	}
	info.process_name = MSG_TEXT(p->process_name);
	msg_builder_init(&builder, b->buffer + b->used, b->size - b->used);
	result = start_info_write(&builder, &info);
	if (result)
		return result;
	*length = msg_builder_length(&builder);
	b->used += *length;
	return CAP_OK;
}

int start_block_build(const struct start_params *params, void *buffer, uint32_t size,
                      uint32_t *length)
{
	uint32_t nargs = count_strings(params->args), nenv = count_strings(params->env);
	uint64_t vectors = 8 * (1 + (uint64_t)nargs + 1 + nenv + 1) + 16 * AUX_ENTRIES;
	const char *executed = params->executed ? params->executed : "";
	uint32_t executed_size = (uint32_t)strlen(executed) + 1;
	uint64_t strings = strings_size(params->args) + strings_size(params->env) + RANDOM_SIZE +
	                   executed_size;
	struct block b = {.buffer = buffer, .size = size & ~15u};
	uint64_t place = 0, total, info, random, execfn;
	uint32_t info_length;
	int result;

	if (vectors + strings >= b.size)
		return CAP_ETOOBIG;
	b.used = (uint32_t)vectors;
	result = write_info(&b, params, &info_length);
	if (result)
		return result;
	total = (b.used + strings + 15) & ~15ull;
	if (total > b.size)
		return CAP_ETOOBIG;
	memset(b.buffer + b.used, 0, total - b.used);
	b.address = (params->stack_top ? params->stack_top : CAPOS_STACK_TOP) - total;
	info = b.address + vectors;
	random = put_bytes(&b, params->random, RANDOM_SIZE);
	put_word(&b, &place, nargs);
	put_strings(&b, &place, params->args);
	put_strings(&b, &place, params->env);
	execfn = put_bytes(&b, executed, executed_size);
	write_aux(&b, &place, params, random, execfn, info, info_length);
	*length = (uint32_t)total;
	return CAP_OK;
}

/* ---- The process's own block ---- */

/* Set once by start_init, before other threads exist. */
static const void *info_message;
static uint32_t info_length;

void start_init(const uint64_t *stack)
{
	const uint64_t *p = stack + 1 + stack[0] + 1; /* argc, argv, NULL */

	while (*p)
		p++;
	for (p++; p[0] != AT_NULL; p += 2) {
		if (p[0] == AT_CAPOS_START)
			info_message = (const void *)(uintptr_t)p[1];
		else if (p[0] == AT_CAPOS_START_LENGTH)
			info_length = (uint32_t)p[1];
	}
}

static bool read_info(struct msg_reader *reader, struct start_info *info)
{
	if (!info_message)
		return false;
	msg_reader_init(reader, info_message, info_length);
	return start_info_read(reader, info) == 0;
}

static bool cap_of(const struct start_info *info, uint32_t index, struct start_cap *out)
{
	struct named_capability named;

	if (named_capability_get(&info->capabilities, index, &named))
		return false;
	*out = (struct start_cap){
	        .name = named.name.ptr, .interface = named.interface, .id = named.id};
	return true;
}

bool start_cap_at(uint32_t index, struct start_cap *out)
{
	struct msg_reader reader;
	struct start_info info;

	return read_info(&reader, &info) && cap_of(&info, index, out);
}

cap_t start_cap(const char *name)
{
	struct msg_reader reader;
	struct start_info info;
	struct start_cap cap;

	if (!read_info(&reader, &info))
		return CAP_NULL;
	for (uint32_t i = 0; cap_of(&info, i, &cap); i++)
		if (strcmp(cap.name, name) == 0)
			return cap.id;
	return CAP_NULL;
}

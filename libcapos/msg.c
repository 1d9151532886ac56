/* SPDX-License-Identifier: MIT */
/*
 * Cap'n Proto messages: the runtime of generated code.  Every offset taken from a message is
 * checked against the message before it is followed; everything is built in place, without
 * allocation.
 *
 * Pointer words (encoding specification, "Structs", "Lists"): bits 0-1 the kind, bits 2-31 the
 * signed offset in words from the word after the pointer; then struct: data words, pointer words
 * (16 bits each); list: element size code in 3 bits and the count in 29.
 */
#include <capos/abi.h>
#include <capos/msg.h>
#include <string.h>

enum { POINTER_STRUCT = 0, POINTER_LIST = 1 };
enum { SIZE_VOID = 0, SIZE_BIT = 1, SIZE_POINTER = 6, SIZE_COMPOSITE = 7 };

static const uint8_t element_bits[] = {0, 1, 8, 16, 32, 64, 64};

#define LIST_COUNT_MAX ((1u << 29) - 1)

static uint64_t load_word(const uint8_t *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	return word;
}

static int64_t pointer_offset(uint64_t pointer)
{
	return (int32_t)(uint32_t)pointer >> 2;
}

void msg_reader_init(struct msg_reader *reader, const void *base, uint32_t length)
{
	reader->base = base;
	reader->words = length / 8;
	reader->budget = (int64_t)reader->words * MSG_WORDS_FACTOR;
}

/* The word index that the pointer at `at` leads to, when `words` words from there are in the
 * message; else -1. */
static int64_t follow(struct msg_reader *reader, const uint8_t *at, uint64_t pointer,
                      uint64_t words)
{
	int64_t target = (at - reader->base) / 8 + 1 + pointer_offset(pointer);

	if (target < 0 || target > (int64_t)reader->words ||
	    words > reader->words - (uint64_t)target)
		return -1;
	reader->budget -= (int64_t)words;
	return reader->budget < 0 ? -1 : target;
}

static int read_struct_pointer(struct msg_reader *reader, const uint8_t *at, uint8_t depth,
                               struct msg_struct *out)
{
	uint64_t pointer = load_word(at);

	memset(out, 0, sizeof(*out));
	out->reader = reader;
	out->depth = depth;
	if (pointer == 0)
		return CAP_OK;
	if ((pointer & 3) != POINTER_STRUCT || depth >= MSG_DEPTH_MAX)
		return CAP_EMESSAGE;

	uint32_t data_words = (uint16_t)(pointer >> 32);
	uint32_t pointers = (uint16_t)(pointer >> 48);
	int64_t target = follow(reader, at, pointer, data_words + pointers);

	if (target < 0)
		return CAP_EMESSAGE;
	out->data = reader->base + target * 8;
	out->data_bits = data_words * 64;
	out->pointers = out->data + (uint64_t)data_words * 8;
	out->npointers = (uint16_t)pointers;
	return CAP_OK;
}

int msg_read_root(struct msg_reader *reader, struct msg_struct *out)
{
	if (reader->words == 0) {
		memset(out, 0, sizeof(*out));
		out->reader = reader;
		return CAP_OK;
	}
	return read_struct_pointer(reader, reader->base, 0, out);
}

int msg_get_struct(const struct msg_struct *s, uint16_t pointer, struct msg_struct *out)
{
	if (pointer >= s->npointers) {
		memset(out, 0, sizeof(*out));
		out->reader = s->reader;
		return CAP_OK;
	}
	return read_struct_pointer(s->reader, s->pointers + 8u * pointer, s->depth + 1, out);
}

/* Reads a composite list's tag and checks that its elements are within the words it claims. */
static int read_composite(struct msg_reader *reader, int64_t target, uint64_t words,
                          struct msg_list *out)
{
	uint64_t tag = load_word(reader->base + target * 8);
	uint64_t count = (uint32_t)tag >> 2;

	if ((tag & 3) != POINTER_STRUCT)
		return CAP_EMESSAGE;
	out->data_words = (uint16_t)(tag >> 32);
	out->pointers = (uint16_t)(tag >> 48);

	uint64_t stride = (uint64_t)out->data_words + out->pointers;

	if (count > LIST_COUNT_MAX || count * stride > words)
		return CAP_EMESSAGE;
	/* Elements without content cost no words of the message; charge them all the same. */
	if (stride == 0) {
		reader->budget -= (int64_t)count;
		if (reader->budget < 0)
			return CAP_EMESSAGE;
	}
	out->start = reader->base + (target + 1) * 8;
	out->count = (uint32_t)count;
	out->stride_bits = (uint32_t)stride * 64;
	return CAP_OK;
}

static int read_list_pointer(struct msg_reader *reader, const uint8_t *at, uint8_t depth,
                             uint8_t element_size, struct msg_list *out)
{
	uint64_t pointer = load_word(at);

	memset(out, 0, sizeof(*out));
	out->reader = reader;
	out->element_size = element_size;
	out->depth = depth;
	if (pointer == 0)
		return CAP_OK;

	uint64_t count = pointer >> 35;

	if ((pointer & 3) != POINTER_LIST || (pointer >> 32 & 7) != element_size ||
	    depth >= MSG_DEPTH_MAX)
		return CAP_EMESSAGE;
	if (element_size == SIZE_COMPOSITE) {
		int64_t target = follow(reader, at, pointer, count + 1);

		return target < 0 ? CAP_EMESSAGE : read_composite(reader, target, count, out);
	}

	int64_t target =
	        follow(reader, at, pointer, (count * element_bits[element_size] + 63) / 64);

	if (target < 0)
		return CAP_EMESSAGE;
	out->start = reader->base + target * 8;
	out->count = (uint32_t)count;
	out->stride_bits = element_bits[element_size];
	return CAP_OK;
}

static int read_data_pointer(struct msg_reader *reader, const uint8_t *at, uint8_t depth,
                             struct msg_data *out)
{
	struct msg_list list;
	int result = read_list_pointer(reader, at, depth, 2, &list);

	*out = (struct msg_data){.ptr = list.start, .len = list.count};
	return result;
}

static int read_text_pointer(struct msg_reader *reader, const uint8_t *at, uint8_t depth,
                             struct msg_text *out)
{
	struct msg_data data;
	int result = read_data_pointer(reader, at, depth, &data);

	*out = (struct msg_text){.ptr = "", .len = 0};
	if (result || !data.ptr)
		return result;
	if (data.len == 0 || data.ptr[data.len - 1] != 0)
		return CAP_EMESSAGE;
	*out = (struct msg_text){.ptr = (const char *)data.ptr, .len = data.len - 1};
	return CAP_OK;
}

int msg_get_text(const struct msg_struct *s, uint16_t pointer, struct msg_text *out)
{
	if (pointer >= s->npointers) {
		*out = (struct msg_text){.ptr = "", .len = 0};
		return CAP_OK;
	}
	return read_text_pointer(s->reader, s->pointers + 8u * pointer, s->depth + 1, out);
}

int msg_get_data(const struct msg_struct *s, uint16_t pointer, struct msg_data *out)
{
	if (pointer >= s->npointers) {
		*out = (struct msg_data){0};
		return CAP_OK;
	}
	return read_data_pointer(s->reader, s->pointers + 8u * pointer, s->depth + 1, out);
}

int msg_get_list(const struct msg_struct *s, uint16_t pointer, uint8_t element_size,
                 struct msg_list *out)
{
	if (pointer >= s->npointers) {
		memset(out, 0, sizeof(*out));
		out->reader = s->reader;
		out->element_size = element_size;
		return CAP_OK;
	}
	return read_list_pointer(s->reader, s->pointers + 8u * pointer, s->depth + 1, element_size,
	                         out);
}

int msg_list_struct(const struct msg_list *list, uint32_t index, struct msg_struct *out)
{
	memset(out, 0, sizeof(*out));
	if (index >= list->count)
		return CAP_EINVAL;
	if (list->element_size != SIZE_COMPOSITE)
		return CAP_EMESSAGE;
	out->reader = list->reader;
	out->data = list->start + (uint64_t)index * list->stride_bits / 8;
	out->data_bits = list->data_words * 64u;
	out->pointers = out->data + list->data_words * 8u;
	out->npointers = list->pointers;
	out->depth = list->depth;
	return CAP_OK;
}

static int list_scalar(const struct msg_list *list, uint32_t index, uint8_t element_size, void *out)
{
	if (index >= list->count)
		return CAP_EINVAL;
	if (list->element_size != element_size)
		return CAP_EMESSAGE;

	uint32_t bytes = element_bits[element_size] / 8;

	memcpy(out, list->start + (uint64_t)index * bytes, bytes);
	return CAP_OK;
}

int msg_list_bool(const struct msg_list *list, uint32_t index, bool *out)
{
	if (index >= list->count)
		return CAP_EINVAL;
	if (list->element_size != SIZE_BIT)
		return CAP_EMESSAGE;
	*out = list->start[index / 8] >> (index % 8) & 1;
	return CAP_OK;
}

int msg_list_u8(const struct msg_list *list, uint32_t index, uint8_t *out)
{
	return list_scalar(list, index, 2, out);
}

int msg_list_u16(const struct msg_list *list, uint32_t index, uint16_t *out)
{
	return list_scalar(list, index, 3, out);
}

int msg_list_u32(const struct msg_list *list, uint32_t index, uint32_t *out)
{
	return list_scalar(list, index, 4, out);
}

int msg_list_u64(const struct msg_list *list, uint32_t index, uint64_t *out)
{
	return list_scalar(list, index, 5, out);
}

int msg_list_text(const struct msg_list *list, uint32_t index, struct msg_text *out)
{
	*out = (struct msg_text){.ptr = "", .len = 0};
	if (index >= list->count)
		return CAP_EINVAL;
	if (list->element_size != SIZE_POINTER)
		return CAP_EMESSAGE;
	return read_text_pointer(list->reader, list->start + 8ull * index, list->depth + 1, out);
}

int msg_list_data(const struct msg_list *list, uint32_t index, struct msg_data *out)
{
	*out = (struct msg_data){0};
	if (index >= list->count)
		return CAP_EINVAL;
	if (list->element_size != SIZE_POINTER)
		return CAP_EMESSAGE;
	return read_data_pointer(list->reader, list->start + 8ull * index, list->depth + 1, out);
}

/* ---- Building ---- */

void msg_builder_init(struct msg_builder *builder, void *base, uint32_t size)
{
	*builder = (struct msg_builder){.base = base, .size_words = size / 8};
}

/* Takes zeroed words; their index, or UINT32_MAX when they do not fit. */
static uint32_t take_words(struct msg_builder *b, uint64_t words)
{
	if (b->error || words > b->size_words - b->used_words) {
		b->error = CAP_ETOOBIG;
		return UINT32_MAX;
	}

	uint32_t at = b->used_words;

	memset(b->base + 8ull * at, 0, words * 8);
	b->used_words += (uint32_t)words;
	return at;
}

static void store_pointer(struct msg_builder *b, uint32_t at, uint32_t target, uint32_t kind,
                          uint32_t high)
{
	uint32_t low = (target - at - 1) << 2 | kind;
	uint64_t word = (uint64_t)high << 32 | low;

	/* A struct without content would be all zero, which reads as null: offset -1 says "empty"
	 * instead. */
	if (kind == POINTER_STRUCT && high == 0)
		word = 0xfffffffcu;
	memcpy(b->base + 8ull * at, &word, sizeof(word));
}

static int build_struct(struct msg_builder *b, uint32_t at, uint16_t data_words, uint16_t pointers,
                        struct msg_slot *out)
{
	uint32_t target = take_words(b, (uint64_t)data_words + pointers);

	if (target == UINT32_MAX)
		return b->error;
	store_pointer(b, at, target, POINTER_STRUCT, (uint32_t)pointers << 16 | data_words);
	*out = (struct msg_slot){
	        .builder = b, .data_word = target, .pointer_word = target + data_words};
	return CAP_OK;
}

int msg_write_root(struct msg_builder *b, uint16_t data_words, uint16_t pointers,
                   struct msg_slot *out)
{
	uint32_t at = take_words(b, 1);

	return at == UINT32_MAX ? b->error : build_struct(b, at, data_words, pointers, out);
}

int msg_set_struct(const struct msg_slot *s, uint16_t pointer, uint16_t data_words,
                   uint16_t pointers, struct msg_slot *out)
{
	return build_struct(s->builder, s->pointer_word + pointer, data_words, pointers, out);
}

/* A list of count elements; where its content starts (a word index), or UINT32_MAX. */
static uint32_t build_list(struct msg_builder *b, uint32_t at, uint8_t element_size, uint32_t count)
{
	if (count > LIST_COUNT_MAX) {
		b->error = CAP_ETOOBIG;
		return UINT32_MAX;
	}

	uint32_t target = take_words(b, ((uint64_t)count * element_bits[element_size] + 63) / 64);

	if (target != UINT32_MAX)
		store_pointer(b, at, target, POINTER_LIST, count << 3 | element_size);
	return target;
}

static int build_bytes(struct msg_builder *b, uint32_t at, const void *bytes, uint32_t length,
                       uint32_t extra)
{
	if (length > LIST_COUNT_MAX - 1)
		return b->error = CAP_ETOOBIG;

	uint32_t target = build_list(b, at, 2, length + extra);

	if (target == UINT32_MAX)
		return b->error;
	if (length)
		memcpy(b->base + 8ull * target, bytes, length);
	return CAP_OK;
}

static int build_text(struct msg_builder *b, uint32_t at, struct msg_text text)
{
	return build_bytes(b, at, text.ptr, text.len, 1);
}

static int build_data(struct msg_builder *b, uint32_t at, struct msg_data data)
{
	return data.len ? build_bytes(b, at, data.ptr, data.len, 0) : CAP_OK;
}

int msg_set_text(const struct msg_slot *s, uint16_t pointer, struct msg_text text)
{
	return build_text(s->builder, s->pointer_word + pointer, text);
}

int msg_set_data(const struct msg_slot *s, uint16_t pointer, struct msg_data data)
{
	return build_data(s->builder, s->pointer_word + pointer, data);
}

int msg_set_scalar_list(const struct msg_slot *s, uint16_t pointer, uint8_t element_size,
                        const struct msg_list *list)
{
	struct msg_builder *b = s->builder;

	if (list->count == 0)
		return b->error;

	uint32_t target = build_list(b, s->pointer_word + pointer, element_size, list->count);

	if (target == UINT32_MAX)
		return b->error;

	uint8_t *to = b->base + 8ull * target;

	if (element_size != SIZE_BIT) {
		memcpy(to, list->items, (size_t)list->count * element_bits[element_size] / 8);
		return CAP_OK;
	}
	for (uint32_t i = 0; i < list->count; i++)
		to[i / 8] |= (uint8_t)(((const bool *)list->items)[i] << (i % 8));
	return CAP_OK;
}

int msg_set_text_list(const struct msg_slot *s, uint16_t pointer, const struct msg_list *list)
{
	struct msg_builder *b = s->builder;
	const struct msg_text *items = list->items;

	if (list->count == 0)
		return b->error;

	uint32_t target = build_list(b, s->pointer_word + pointer, SIZE_POINTER, list->count);

	if (target == UINT32_MAX)
		return b->error;
	for (uint32_t i = 0; i < list->count; i++) {
		if (build_text(b, target + i, items[i]) != CAP_OK)
			return b->error;
	}
	return CAP_OK;
}

int msg_set_data_list(const struct msg_slot *s, uint16_t pointer, const struct msg_list *list)
{
	struct msg_builder *b = s->builder;
	const struct msg_data *items = list->items;

	if (list->count == 0)
		return b->error;

	uint32_t target = build_list(b, s->pointer_word + pointer, SIZE_POINTER, list->count);

	if (target == UINT32_MAX)
		return b->error;
	for (uint32_t i = 0; i < list->count; i++) {
		if (build_data(b, target + i, items[i]) != CAP_OK)
			return b->error;
	}
	return CAP_OK;
}

int msg_set_struct_list(const struct msg_slot *s, uint16_t pointer, uint32_t count,
                        uint16_t data_words, uint16_t pointers, struct msg_slot *first)
{
	struct msg_builder *b = s->builder;
	uint64_t words = (uint64_t)count * ((uint64_t)data_words + pointers);

	*first = (struct msg_slot){.builder = b};
	if (words > LIST_COUNT_MAX || count > LIST_COUNT_MAX)
		return b->error = CAP_ETOOBIG;
	if (count == 0)
		return b->error;

	uint32_t target = take_words(b, words + 1);

	if (target == UINT32_MAX)
		return b->error;
	store_pointer(b, s->pointer_word + pointer, target, POINTER_LIST,
	              (uint32_t)words << 3 | SIZE_COMPOSITE);

	uint64_t tag = (uint64_t)pointers << 48 | (uint64_t)data_words << 32 | count << 2;

	memcpy(b->base + 8ull * target, &tag, sizeof(tag));
	first->data_word = target + 1;
	first->pointer_word = first->data_word + data_words;
	return CAP_OK;
}

struct msg_slot msg_struct_list_at(const struct msg_slot *first, uint16_t data_words,
                                   uint16_t pointers, uint32_t index)
{
	uint32_t words = index * ((uint32_t)data_words + pointers);

	return (struct msg_slot){.builder = first->builder,
	                         .data_word = first->data_word + words,
	                         .pointer_word = first->pointer_word + words};
}

/* SPDX-License-Identifier: MIT */
/*
 * Cap'n Proto messages for generated code: bounds-checked reading of bytes that another process
 * wrote, and building into a buffer of the caller's.  Nothing here allocates, blocks or knows of
 * IPC; the kernel, processes and host tools use the same code.
 *
 * Encoding: https://capnproto.org/encoding.html.  A capOS message is one segment without the stream
 * framing; `capnp decode --flat` and `capnp encode --flat` read and write the same bytes.
 *
 * Reading trusts nothing: every pointer is checked against the message, pointers are followed to a
 * depth of MSG_DEPTH_MAX, and the words visited are counted (MSG_WORDS_FACTOR times the message) so
 * that pointers that overlap cannot make work without bound.  Far pointers are refused.
 */
#ifndef CAPOS_MSG_H
#define CAPOS_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MSG_DEPTH_MAX    16
#define MSG_WORDS_FACTOR 8

/* Bytes owned by the owner of the message (when read) or by the caller (when built). */
struct msg_data {
	const uint8_t *ptr;
	uint32_t len;
};

/* Text: len counts no final NUL; when read there is one at ptr[len], and ptr is never NULL. */
struct msg_text {
	const char *ptr;
	uint32_t len;
};

#define MSG_TEXT(s)    ((struct msg_text){.ptr = (s), .len = (uint32_t)__builtin_strlen(s)})
#define MSG_DATA(p, n) ((struct msg_data){.ptr = (const uint8_t *)(p), .len = (uint32_t)(n)})

/* A message being read.  The buffer must be 8-byte aligned and unchanged while anything read from
 * it is in use. */
struct msg_reader {
	const uint8_t *base;
	uint32_t words;
	int64_t budget; /* words that may still be visited */
};

/* A list.  When building, set items (a C array of the element's type: uint64_t, struct msg_text,
 * struct foo, ...) and count.  When read, count is set and elements are taken by the functions
 * below or the generated foo_get(). */
struct msg_list {
	uint32_t count;
	const void *items;
	/* private to the reader */
	struct msg_reader *reader;
	const uint8_t *start;
	uint32_t stride_bits; /* bits from one element to the next */
	uint16_t data_words, pointers;
	uint8_t element_size; /* encoding's size code 0..7 */
	uint8_t depth;
};

/* Elements of lists of scalars, text and data.  CAP_EINVAL when index >= count, CAP_EMESSAGE when
 * the list is of another kind. */
int msg_list_bool(const struct msg_list *list, uint32_t index, bool *out);
int msg_list_u8(const struct msg_list *list, uint32_t index, uint8_t *out);
int msg_list_u16(const struct msg_list *list, uint32_t index, uint16_t *out);
int msg_list_u32(const struct msg_list *list, uint32_t index, uint32_t *out);
int msg_list_u64(const struct msg_list *list, uint32_t index, uint64_t *out);
int msg_list_text(const struct msg_list *list, uint32_t index, struct msg_text *out);
int msg_list_data(const struct msg_list *list, uint32_t index, struct msg_data *out);

/* A message being built; base must be 8-byte aligned.  Unused space is zeroed as it is taken. After
 * an error everything fails with that error. */
struct msg_builder {
	uint8_t *base;
	uint32_t size_words;
	uint32_t used_words;
	int error; /* enum cap_error: CAP_OK, CAP_ETOOBIG */
};

void msg_reader_init(struct msg_reader *reader, const void *base, uint32_t length);
void msg_builder_init(struct msg_builder *builder, void *base, uint32_t size);
/* Bytes built. */
static inline uint32_t msg_builder_length(const struct msg_builder *b)
{
	return b->used_words * 8;
}

/*
 * One call for a generated NAME_dispatch(): which method, the parameters' message, where the
 * results' message goes.  context belongs to the dispatcher (the kernel's call, a server's
 * call).
 */
struct msg_call {
	uint16_t method;
	const void *in;
	uint32_t in_len;
	void *out;
	uint32_t out_size;
	uint32_t out_len; /* set when a handler answered with CAP_OK */
	void *context;
};

/* What a handler answers when the reply will come later; dispatch passes it on and builds
 * nothing. */
#define MSG_DEFERRED INT32_MIN

/*
 * What tools/capnpc-capos generates for schema/FILE.capnp: <capos/schema/FILE.h>, FILE_server.h,
 * FILE_client.h and FILE.c (which needs nothing but msg.c, memset and memcpy).  C names are snake
 * case: TcpSocket.localAddress is tcp_socket_local_address.
 *
 *   struct Foo { a @0 :UInt16; t @1 :Text; d @2 :Data; l @3 :List(Bar); s @4 :Bar; u :group {...} }
 *     struct foo { uint16_t a; struct msg_text t; struct msg_data d; struct msg_list l;
 *                  struct bar s; struct { ... } u; };
 *     int foo_read(struct msg_reader *, struct foo *);
 *       Of a message's root.  0 or CAP_EMESSAGE.
 *     int foo_write(struct msg_builder *, const struct foo *);
 *       As a message's root.  0 or CAP_ETOOBIG.
 *     int foo_get(const struct msg_list *, uint32_t index, struct foo *);
 *   A union adds `uint16_t which` (enum foo_which: FOO_MEMBER constants) to its struct or group;
 *   members stay plain fields, of which only the chosen one is read or written.  Void members have
 *   no field.  A name that is a C keyword gains a final '_'.  Recursive types are refused.
 *
 *   enum Color { red @0; }
 *     enum color { COLOR_RED = 0 };  fields of it are uint16_t
 *   const
 *     #define, upper snake case
 *
 *   interface Foo { bar @0 (x :UInt8) -> (y :UInt8); }
 *     #define FOO_INTERFACE 0x...ull
 *       The type id.
 *     enum foo_method { FOO_BAR = 0, FOO_METHOD_COUNT };
 *     struct foo_bar_params, struct foo_bar_results
 *       As above, with _read and _write.  One without fields is no argument of what follows.
 *     const char *foo_method_name(uint16_t method);
 *     in <capos/schema/FILE_server.h>:
 *     struct foo_ops { int (*bar)(void *object, struct msg_call *, const struct foo_bar_params *,
 *                                 struct foo_bar_results *); };
 *     int foo_dispatch(const struct foo_ops *, void *object, struct msg_call *);
 *       Reads the parameters, zeroes the results, runs the handler, and when that returns CAP_OK
 *       writes the results.  Other results are returned.  CAP_EMETHOD: no such method, or its
 *       pointer is NULL.
 *     in <capos/schema/FILE_client.h>, inline, over capos/cap.h:
 *     int foo_bar(cap_t, const struct foo_bar_params *, struct foo_bar_results *,
 *                 struct capos_call *);
 *       As cap_call, or CAP_ETOOBIG (parameters do not fit the buffer), CAP_EMESSAGE (malformed
 *       reply).  On anything but CAP_OK the caller is left no capability.  call NULL: only for
 *       methods whose results hold no pointers (else CAP_EINVAL); received capabilities are
 *       released.
 *
 *   const char *FILE_interface_name(uint64_t type_id);
 *     "TcpSocket", or NULL.
 */

/* ---- For generated code only ---- */

struct msg_struct { /* a struct in a message being read; all NULL/0 for a null pointer */
	struct msg_reader *reader;
	const uint8_t *data;
	uint32_t data_bits;
	const uint8_t *pointers;
	uint16_t npointers;
	uint8_t depth;
};
struct msg_slot { /* a struct in a message being built */
	struct msg_builder *builder;
	uint32_t data_word;    /* word index of its data section */
	uint32_t pointer_word; /* word index of its pointer section */
};

/* These two are inline since generated code calls them for each field with its place and width, of
 * which little is left then.  bits: 1, or whole bytes; 0 beyond the data. */
static inline uint64_t msg_get_bits(const struct msg_struct *s, uint32_t bit_offset, uint32_t bits)
{
	uint64_t value = 0;

	if (bit_offset + bits > s->data_bits)
		return 0;
	if (bits == 1)
		return s->data[bit_offset / 8] >> (bit_offset % 8) & 1;
	__builtin_memcpy(&value, s->data + bit_offset / 8, bits / 8);
	return value;
}

static inline void msg_set_bits(const struct msg_slot *s, uint32_t bit_offset, uint32_t bits,
                                uint64_t value)
{
	uint8_t *at = s->builder->base + 8ull * s->data_word + bit_offset / 8;

	if (bits == 1)
		*at = (uint8_t)((*at & ~(1u << (bit_offset % 8))) | (uint32_t)(value & 1)
		                                                            << (bit_offset % 8));
	else
		__builtin_memcpy(at, &value, bits / 8);
}

int msg_read_root(struct msg_reader *reader, struct msg_struct *out);
int msg_get_struct(const struct msg_struct *s, uint16_t pointer, struct msg_struct *out);
int msg_get_text(const struct msg_struct *s, uint16_t pointer, struct msg_text *out);
int msg_get_data(const struct msg_struct *s, uint16_t pointer, struct msg_data *out);
int msg_get_list(const struct msg_struct *s, uint16_t pointer, uint8_t element_size,
                 struct msg_list *out);
int msg_list_struct(const struct msg_list *list, uint32_t index, struct msg_struct *out);

int msg_write_root(struct msg_builder *b, uint16_t data_words, uint16_t pointers,
                   struct msg_slot *out);
int msg_set_struct(const struct msg_slot *s, uint16_t pointer, uint16_t data_words,
                   uint16_t pointers, struct msg_slot *out);
int msg_set_text(const struct msg_slot *s, uint16_t pointer, struct msg_text text);
int msg_set_data(const struct msg_slot *s, uint16_t pointer, struct msg_data data);
/* Lists: scalars (element_size 1..5) from list->items at once; text and data likewise; of structs
 * element by element. */
int msg_set_scalar_list(const struct msg_slot *s, uint16_t pointer, uint8_t element_size,
                        const struct msg_list *list);
int msg_set_text_list(const struct msg_slot *s, uint16_t pointer, const struct msg_list *list);
int msg_set_data_list(const struct msg_slot *s, uint16_t pointer, const struct msg_list *list);
int msg_set_struct_list(const struct msg_slot *s, uint16_t pointer, uint32_t count,
                        uint16_t data_words, uint16_t pointers, struct msg_slot *first);
struct msg_slot msg_struct_list_at(const struct msg_slot *first, uint16_t data_words,
                                   uint16_t pointers, uint32_t index);

#endif

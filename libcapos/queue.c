/* SPDX-License-Identifier: MIT */
/*
 * Shared queues.  Of the shared memory only the other side's index is ever read, once per look, and
 * a value that leaves more than the capacity between the two indices breaks the queue for good. The
 * own index is written there and never read back.
 */
#include <stddef.h>
#include <string.h>

#include <capos/queue.h>

typedef uint64_t __attribute__((may_alias, aligned(1))) unaligned_word;

/*
 * memcpy with unrolled 8-byte moves: under emulation `rep movs` costs two to twenty times as much,
 * and queues are where bulk data is copied.  Not turned back into a call of memcpy by the compiler.
 */
__attribute__((optimize("no-tree-loop-distribute-patterns"))) static void
copy_bytes(uint8_t *to, const uint8_t *from, size_t n)
{
	for (; n >= 64; n -= 64, to += 64, from += 64) {
		const unaligned_word *f = (const unaligned_word *)from;
		unaligned_word *t = (unaligned_word *)to;
		uint64_t a = f[0], b = f[1], c = f[2], d = f[3];
		uint64_t e = f[4], g = f[5], h = f[6], i = f[7];

		t[0] = a, t[1] = b, t[2] = c, t[3] = d;
		t[4] = e, t[5] = g, t[6] = h, t[7] = i;
	}
	for (; n >= 8; n -= 8, to += 8, from += 8)
		*(unaligned_word *)to = *(const unaligned_word *)from;
	for (; n; n--)
		*to++ = *from++;
}

void queue_init(struct queue *q, struct queue_shared *shared, void *data, uint32_t capacity,
                uint32_t element)
{
	*q = (struct queue){
	        .shared = shared, .data = data, .capacity = capacity, .element = element};
}

uint32_t queue_readable(struct queue *q)
{
	uint32_t tail, used;

	if (q->broken)
		return 0;
	tail = atomic_load_explicit(&q->shared->tail, memory_order_acquire);
	used = tail - q->local;
	if (used > q->capacity) {
		q->broken = true;
		return 0;
	}
	return used;
}

uint32_t queue_writable(struct queue *q)
{
	uint32_t head, used;

	if (q->broken)
		return 0;
	head = atomic_load_explicit(&q->shared->head, memory_order_acquire);
	used = q->local - head;
	if (used > q->capacity) {
		q->broken = true;
		return 0;
	}
	return q->capacity - used;
}

/* The elements at own index + offset up to the wrap-around, at most count. */
static uint8_t *run_at(const struct queue *q, uint32_t offset, uint32_t *count)
{
	uint32_t place = (q->local + offset) & (q->capacity - 1);
	uint32_t straight = q->capacity - place;

	if (*count > straight)
		*count = straight;
	return q->data + (size_t)place * q->element;
}

void *queue_write_run(struct queue *q, uint32_t offset, uint32_t *count)
{
	uint32_t space = queue_writable(q);

	*count = offset < space ? space - offset : 0;
	return *count ? run_at(q, offset, count) : NULL;
}

const void *queue_read_run(struct queue *q, uint32_t offset, uint32_t *count)
{
	uint32_t filled = queue_readable(q);

	*count = offset < filled ? filled - offset : 0;
	return *count ? run_at(q, offset, count) : NULL;
}

void queue_advance(struct queue *q, uint32_t count)
{
	q->local += count;
}

uint32_t queue_put(struct queue *q, const void *elements, uint32_t count)
{
	const uint8_t *from = elements;
	uint32_t space = queue_writable(q), done = 0;

	if (count > space)
		count = space;
	while (done < count) {
		uint32_t run = count - done;
		uint8_t *to = run_at(q, done, &run);

		copy_bytes(to, from + (size_t)done * q->element, (size_t)run * q->element);
		done += run;
	}
	queue_advance(q, count);
	return count;
}

uint32_t queue_peek(struct queue *q, uint32_t offset, void *elements, uint32_t count)
{
	uint8_t *to = elements;
	uint32_t filled = queue_readable(q), done = 0;

	filled = offset < filled ? filled - offset : 0;
	if (count > filled)
		count = filled;
	while (done < count) {
		uint32_t run = count - done;
		const uint8_t *from = run_at(q, offset + done, &run);

		copy_bytes(to + (size_t)done * q->element, from, (size_t)run * q->element);
		done += run;
	}
	return count;
}

uint32_t queue_take(struct queue *q, void *elements, uint32_t count)
{
	count = queue_peek(q, 0, elements, count);
	queue_advance(q, count);
	return count;
}

uint32_t queue_resend(struct queue *to, struct queue *from)
{
	uint32_t left = from->capacity - queue_writable(from), done = 0;
	struct queue untaken = *from;

	if (from->broken)
		return 0;
	untaken.local -= left;
	while (done < left) {
		uint32_t n = left - done;
		const void *run = run_at(&untaken, done, &n);
		uint32_t put = queue_put(to, run, n);

		done += put;
		if (put < n)
			break;
	}
	return done;
}

bool queue_publish(struct queue *q, bool producer)
{
	_Atomic uint32_t *own = producer ? &q->shared->tail : &q->shared->head;
	_Atomic uint32_t *wants =
	        producer ? &q->shared->consumer_wants : &q->shared->producer_wants;

	atomic_store_explicit(own, q->local, memory_order_release);
	/* Pairs with the fence in want(): either we see the request or the other side sees our
	 * index. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(wants, memory_order_relaxed))
		return false;
	return atomic_exchange_explicit(wants, 0, memory_order_acq_rel) != 0;
}

static void want(_Atomic uint32_t *wants)
{
	atomic_store_explicit(wants, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

void queue_want_data(struct queue *q)
{
	want(&q->shared->consumer_wants);
}

void queue_want_space(struct queue *q)
{
	want(&q->shared->producer_wants);
}

void queue_dont_want_data(struct queue *q)
{
	atomic_store_explicit(&q->shared->consumer_wants, 0, memory_order_relaxed);
}

void queue_dont_want_space(struct queue *q)
{
	atomic_store_explicit(&q->shared->producer_wants, 0, memory_order_relaxed);
}

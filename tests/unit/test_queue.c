/* SPDX-License-Identifier: MIT */
/*
 * Shared queues: what goes in comes out in order, a false index breaks its queue and nothing
 * else, and two threads that follow the documented rule for sleeping never miss a wake-up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <cmocka.h>
#include <capos/nicqueue.h>
#include <capos/queue.h>

struct pair {
	struct queue_shared shared;
	struct queue producer, consumer;
	uint8_t *data;
};

static void pair_init(struct pair *p, uint32_t capacity, uint32_t element)
{
	memset(&p->shared, 0, sizeof(p->shared));
	p->data = malloc((size_t)capacity *
	                 element); /* exact, so that the sanitizer sees each byte beyond */
	assert_non_null(p->data);
	queue_init(&p->producer, &p->shared, p->data, capacity, element);
	queue_init(&p->consumer, &p->shared, p->data, capacity, element);
}

static void test_elements_come_out_as_they_went_in(void **state)
{
	struct pair p;
	uint8_t in[100], out[100];

	(void)state;
	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7);
	pair_init(&p, 128, 1);
	for (int round = 0; round < 50; round++) {
		assert_int_equal(queue_put(&p.producer, in, 100), 100);
		assert_int_equal(queue_readable(&p.consumer), 0); /* not published yet */
		queue_publish_put(&p.producer);
		assert_int_equal(queue_readable(&p.consumer), 100);
		assert_int_equal(queue_writable(&p.producer), 28);
		assert_int_equal(queue_peek(&p.consumer, 90, out, 100), 10);
		assert_memory_equal(out, in + 90, 10);
		assert_int_equal(queue_take(&p.consumer, out, 200), 100);
		assert_memory_equal(out, in, 100);
		queue_publish_take(&p.consumer);
	}
	free(p.data);
}

static void test_a_full_queue_takes_what_fits(void **state)
{
	struct pair p;
	uint64_t in[20], out[20];

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		in[i] = i;
	pair_init(&p, 16, sizeof(uint64_t));
	assert_int_equal(queue_put(&p.producer, in, 20), 16);
	assert_int_equal(queue_put(&p.producer, in, 1), 0);
	queue_publish_put(&p.producer);
	assert_int_equal(queue_take(&p.consumer, out, 3), 3);
	assert_int_equal(queue_writable(&p.producer), 0); /* taking is not published yet */
	queue_publish_take(&p.consumer);
	assert_int_equal(queue_writable(&p.producer), 3);
	assert_int_equal(queue_put(&p.producer, in + 16, 4), 3);
	queue_publish_put(&p.producer);
	assert_int_equal(queue_take(&p.consumer, out, 20), 16);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(out[i], i + 3);
	free(p.data);
}

static void test_runs_end_at_the_wrap_around(void **state)
{
	struct pair p;
	uint32_t n;
	uint8_t byte[12] = {0};

	(void)state;
	pair_init(&p, 16, 1);
	queue_put(&p.producer, byte, 12);
	queue_publish_put(&p.producer);
	queue_take(&p.consumer, byte, 12);
	queue_publish_take(&p.consumer);
	assert_ptr_equal(queue_write_run(&p.producer, 0, &n), p.data + 12);
	assert_int_equal(n, 4);
	assert_ptr_equal(queue_write_run(&p.producer, 4, &n), p.data);
	assert_int_equal(n, 12);
	assert_null(queue_write_run(&p.producer, 16, &n));
	assert_int_equal(n, 0);
	queue_advance(&p.producer, 6);
	queue_publish_put(&p.producer);
	assert_ptr_equal(queue_read_run(&p.consumer, 0, &n), p.data + 12);
	assert_int_equal(n, 4);
	assert_ptr_equal(queue_read_run(&p.consumer, 5, &n), p.data + 1);
	assert_int_equal(n, 1);
	assert_null(queue_read_run(&p.consumer, UINT32_MAX, &n));
	free(p.data);
}

static void test_indices_run_over_2_to_32(void **state)
{
	struct pair p;
	uint8_t in[10] = "abcdefghi", out[10];

	(void)state;
	pair_init(&p, 16, 1);
	p.producer.local = p.consumer.local = UINT32_MAX - 3;
	atomic_store(&p.shared.head, UINT32_MAX - 3);
	atomic_store(&p.shared.tail, UINT32_MAX - 3);
	assert_int_equal(queue_put(&p.producer, in, 10), 10);
	queue_publish_put(&p.producer);
	assert_int_equal(queue_readable(&p.consumer), 10);
	assert_int_equal(queue_take(&p.consumer, out, 10), 10);
	assert_memory_equal(in, out, 10);
	free(p.data);
}

static void test_an_index_that_lies_breaks_the_queue(void **state)
{
	/* Of the producer beyond the capacity; of the consumer beyond what was put in. */
	static const uint32_t false_indices[] = {17, 1000, UINT32_MAX, UINT32_MAX - 15,
	                                         0x80000000u};
	uint8_t byte = 0;
	uint32_t n;

	(void)state;
	for (unsigned i = 0; i < sizeof(false_indices) / sizeof(false_indices[0]); i++) {
		struct pair p;

		pair_init(&p, 16, 1);
		atomic_store(&p.shared.tail, false_indices[i]);
		assert_int_equal(queue_readable(&p.consumer), 0);
		assert_true(p.consumer.broken);
		atomic_store(&p.shared.tail, 1); /* telling the truth later does not mend it */
		assert_int_equal(queue_take(&p.consumer, &byte, 1), 0);
		assert_null(queue_read_run(&p.consumer, 0, &n));
		atomic_store(&p.shared.head, -false_indices[i]);
		assert_int_equal(queue_writable(&p.producer), 0);
		assert_true(p.producer.broken);
		assert_int_equal(queue_put(&p.producer, &byte, 1), 0);
		assert_null(queue_write_run(&p.producer, 0, &n));
		free(p.data);
	}
}

static void test_indices_that_jump_never_lead_outside(void **state)
{
	struct pair p;
	uint8_t bytes[64];
	unsigned seed = 1;

	(void)state;
	pair_init(&p, 32, 1);
	for (int round = 0; round < 100000; round++) {
		uint32_t n;

		seed = seed * 1103515245 + 12345;
		atomic_store(&p.shared.tail, p.consumer.local + (seed >> 16) % 40);
		queue_take(&p.consumer, bytes, (seed >> 8) % 64);
		if (queue_read_run(&p.consumer, (seed >> 4) % 64, &n))
			memcpy(bytes, queue_read_run(&p.consumer, (seed >> 4) % 64, &n), n);
		p.consumer.broken = false;
	}
	free(p.data);
}

static void test_the_other_side_is_woken_only_when_it_asked(void **state)
{
	struct pair p;
	uint8_t byte = 1;

	(void)state;
	pair_init(&p, 16, 1);
	queue_put(&p.producer, &byte, 1);
	assert_false(queue_publish_put(&p.producer));
	queue_want_data(&p.consumer);
	queue_put(&p.producer, &byte, 1);
	assert_true(queue_publish_put(&p.producer));
	assert_false(queue_publish_put(&p.producer)); /* the request was taken back */
	queue_want_data(&p.consumer);
	queue_dont_want_data(&p.consumer);
	assert_false(queue_publish_put(&p.producer));
	queue_want_space(&p.producer);
	queue_take(&p.consumer, &byte, 1);
	assert_true(queue_publish_take(&p.consumer));
	assert_false(queue_publish_take(&p.consumer));
	queue_want_space(&p.producer);
	queue_dont_want_space(&p.producer);
	assert_false(queue_publish_take(&p.consumer));
	free(p.data);
}

/* ---- Two threads ---- */

/* As an Event: bits collect until they are waited for. */
struct event {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool set;
};

static void event_signal(struct event *e)
{
	pthread_mutex_lock(&e->lock);
	e->set = true;
	pthread_cond_signal(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

/* False after ten seconds: a wake-up was missed. */
static bool event_wait(struct event *e)
{
	struct timespec deadline;
	int error = 0;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 10;
	pthread_mutex_lock(&e->lock);
	while (!e->set && !error)
		error = pthread_cond_timedwait(&e->changed, &e->lock, &deadline);
	e->set = false;
	pthread_mutex_unlock(&e->lock);
	return !error;
}

#define STRESS_BYTES (8u << 20)

struct stress {
	struct pair pair;
	struct event to_consumer, to_producer;
	unsigned sleeps; /* of the consumer */
	bool missed;
};

static uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i ^ i >> 8 ^ i >> 16);
}

static void *produce(void *argument)
{
	struct stress *s = argument;
	struct queue *q = &s->pair.producer;
	uint32_t sent = 0, seed = 7;
	uint8_t batch[97];

	while (sent < STRESS_BYTES) {
		uint32_t n = (seed = seed * 1664525 + 1013904223) >> 16, put;

		n = n % sizeof(batch) + 1;
		if (n > STRESS_BYTES - sent)
			n = STRESS_BYTES - sent;
		for (uint32_t i = 0; i < n; i++)
			batch[i] = pattern(sent + i);
		put = queue_put(q, batch, n);
		sent += put;
		if (put) {
			if (queue_publish_put(q)) {
				event_signal(&s->to_consumer);
			}
			continue;
		}
		queue_want_space(q);
		if (queue_writable(q))
			queue_dont_want_space(q);
		else if (!event_wait(&s->to_producer)) {
			s->missed = true;
			return NULL;
		}
	}
	return NULL;
}

static void *consume(void *argument)
{
	struct stress *s = argument;
	struct queue *q = &s->pair.consumer;
	uint32_t taken = 0, seed = 3;
	uint8_t batch[61];

	while (taken < STRESS_BYTES) {
		uint32_t n = (seed = seed * 1664525 + 1013904223) >> 16;

		n = queue_take(q, batch, n % sizeof(batch) + 1);
		for (uint32_t i = 0; i < n; i++)
			if (batch[i] != pattern(taken + i))
				return NULL;
		taken += n;
		if (n) {
			if (queue_publish_take(q))
				event_signal(&s->to_producer);
			continue;
		}
		queue_want_data(q);
		if (queue_readable(q)) {
			queue_dont_want_data(q);
			continue;
		}
		s->sleeps++;
		if (!event_wait(&s->to_consumer)) {
			s->missed = true;
			return NULL;
		}
	}
	return s;
}

static void stress_with_capacity(uint32_t capacity)
{
	static struct stress s;
	pthread_t producer, consumer;
	void *result;

	s = (struct stress){
	        .to_consumer = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false},
	        .to_producer = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false},
	};
	pair_init(&s.pair, capacity, 1);
	assert_int_equal(pthread_create(&producer, NULL, produce, &s), 0);
	assert_int_equal(pthread_create(&consumer, NULL, consume, &s), 0);
	pthread_join(producer, NULL);
	pthread_join(consumer, &result);
	assert_false(s.missed);
	assert_ptr_equal(result, &s); /* all bytes were right */
	free(s.pair.data);
}

static void test_two_threads_miss_no_wake_up(void **state)
{
	(void)state;
	stress_with_capacity(16);
	stress_with_capacity(64);
	stress_with_capacity(4096);
}

/* ---- The NIC's queues ---- */

static void test_both_sides_of_a_nic_see_the_same_queues(void **state)
{
	enum { RECEIVE = 8, TRANSMIT = 4 };
	uint64_t size = NICQUEUE_MEMORY_SIZE(RECEIVE, TRANSMIT);
	void *memory = aligned_alloc(4096, size);
	struct nicqueue driver, netstack;
	struct nicqueue_descriptor d = {.buffer = 3, .offset = 64, .length = 60}, out;

	(void)state;
	assert_non_null(memory);
	memset(memory, 0, size);
	nicqueue_init(&driver, memory, RECEIVE, TRANSMIT);
	nicqueue_init(&netstack, memory, RECEIVE, TRANSMIT);
	assert_ptr_equal(netstack.transmit_buffers,
	                 netstack.receive_buffers + RECEIVE * NICQUEUE_BUFFER_SIZE);
	assert_ptr_equal(netstack.transmit_buffers + TRANSMIT * NICQUEUE_BUFFER_SIZE,
	                 (uint8_t *)memory + size);
	assert_int_equal(queue_put(&driver.receive_ready, &d, 1), 1);
	queue_publish_put(&driver.receive_ready);
	assert_int_equal(queue_readable(&netstack.receive_free), 0);
	assert_int_equal(queue_readable(&netstack.transmit_free), 0);
	assert_int_equal(queue_take(&netstack.receive_ready, &out, 1), 1);
	assert_memory_equal(&d, &out, sizeof(d));
	for (unsigned i = 0; i < NICQUEUE_ENTRIES; i++)
		assert_int_equal(queue_put(&netstack.transmit_ready, &d, 1), 1);
	assert_int_equal(queue_put(&netstack.transmit_ready, &d, 1), 0);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_elements_come_out_as_they_went_in),
	        cmocka_unit_test(test_a_full_queue_takes_what_fits),
	        cmocka_unit_test(test_runs_end_at_the_wrap_around),
	        cmocka_unit_test(test_indices_run_over_2_to_32),
	        cmocka_unit_test(test_an_index_that_lies_breaks_the_queue),
	        cmocka_unit_test(test_indices_that_jump_never_lead_outside),
	        cmocka_unit_test(test_the_other_side_is_woken_only_when_it_asked),
	        cmocka_unit_test(test_two_threads_miss_no_wake_up),
	        cmocka_unit_test(test_both_sides_of_a_nic_see_the_same_queues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues against a fake device: chains, out of order and across the indices' wrap-around;
 * when the doorbell rings and interrupts are asked for; and every way a device can lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/virtio_fake.h"

#define SIZE 16u

struct fixture {
	struct virtqueue q;
	struct virtqueue_slot slots[VIRTQUEUE_SIZE_MAX];
	_Alignas(4096) uint8_t memory[VIRTQUEUE_MEMORY_SIZE(VIRTQUEUE_SIZE_MAX)];
	volatile uint16_t doorbell;
	struct fake_queue device;
};

static struct fixture fx;

static void begin(uint16_t size, bool event_index)
{
	memset(&fx, 0xa5, sizeof(fx));
	fx.doorbell = 0xffff;
	virtqueue_init(&fx.q, fx.memory, size, fx.slots, 3, event_index, &fx.doorbell);
	fx.device = (struct fake_queue){.q = &fx.q};
}

static int add(uint32_t count, uint32_t token, bool writes)
{
	struct virtqueue_buffer b[SIZE * 2];

	for (uint32_t i = 0; i < count; i++)
		b[i] = (struct virtqueue_buffer){0x1000 * (i + 1), 100, writes};
	return virtqueue_add(&fx.q, b, count, token);
}

static void layout(void **state)
{
	(void)state;
	for (uint32_t size = 4; size <= VIRTQUEUE_SIZE_MAX; size *= 2) {
		assert_true(VIRTQUEUE_AVAILABLE_OFFSET(size) >= 16 * size);
		assert_true(VIRTQUEUE_USED_OFFSET(size) >=
		            VIRTQUEUE_AVAILABLE_OFFSET(size) + 6 + 2 * size);
		assert_int_equal(VIRTQUEUE_USED_OFFSET(size) % 4, 0);
		assert_true(VIRTQUEUE_USED_OFFSET(size) + 6 + 8 * size <=
		            VIRTQUEUE_MEMORY_SIZE(size));
	}
	/* With 256 entries the block has two pages: descriptors, rings. */
	assert_int_equal(VIRTQUEUE_AVAILABLE_OFFSET(256), 4096);
	assert_int_equal(VIRTQUEUE_MEMORY_SIZE(256), 8192);
	/* A block that is not cleared by its memory is cleared by init. */
	begin(SIZE, true);
	assert_int_equal(atomic_load(&fx.q.available->index), 0);
	assert_int_equal(atomic_load(&fx.q.used->index), 0);
}

static void room_and_arguments(void **state)
{
	uint32_t token, length;

	(void)state;
	begin(SIZE, true);
	assert_int_equal(add(0, 1, true), CAP_EINVAL);
	assert_int_equal(add(SIZE + 1, 1, true), CAP_EINVAL);
	assert_int_equal(virtqueue_take(&fx.q, &token, &length), CAP_EAGAIN);
	assert_int_equal(add(SIZE - 2, 7, false), CAP_OK);
	assert_int_equal(add(3, 8, false), CAP_EAGAIN);
	assert_int_equal(virtqueue_room(&fx.q), 2);
	assert_int_equal(add(2, 9, true), CAP_OK);
	assert_int_equal(virtqueue_room(&fx.q), 0);
	/* Not to be seen before the kick. */
	assert_int_equal(fake_waiting(&fx.device), 0);
	assert_true(virtqueue_kick(&fx.q));
	assert_int_equal(fx.doorbell, 3);
	assert_int_equal(fake_waiting(&fx.device), 2);

	struct fake_chain c;

	assert_true(fake_pop(&fx.device, &c));
	assert_int_equal(c.count, SIZE - 2);
	assert_int_equal(c.readable, (SIZE - 2) * 100);
	assert_int_equal(c.parts[1].address, 0x2000);
	fake_use(&fx.device, c.id, 0);
	assert_true(fake_pop(&fx.device, &c));
	assert_int_equal(c.writable, 200);
	fake_use(&fx.device, c.id, 150);
	assert_int_equal(virtqueue_take(&fx.q, &token, &length), CAP_OK);
	assert_int_equal(token, 7);
	assert_int_equal(length, 0);
	assert_int_equal(virtqueue_take(&fx.q, &token, &length), CAP_OK);
	assert_int_equal(token, 9);
	assert_int_equal(length, 150);
	assert_int_equal(virtqueue_take(&fx.q, &token, &length), CAP_EAGAIN);
	assert_int_equal(virtqueue_room(&fx.q), SIZE);
}

/* Chains of random length, used in random order, past the wrap-around of the 16-bit indices. */
static void traffic(void **state)
{
	struct fake_chain held[SIZE];
	bool outstanding[1024] = {false};
	uint32_t nheld = 0, next = 0, taken = 0;

	(void)state;
	begin(SIZE, true);
	while (taken < 70000) {
		uint32_t token, length;

		if (fake_random(2) && !outstanding[next % 1024] &&
		    add(1 + fake_random(4), next % 1024, fake_random(2)) == CAP_OK) {
			outstanding[next % 1024] = true;
			next++;
		}
		if (fake_random(3) == 0)
			virtqueue_kick(&fx.q);
		if (fake_random(2) && nheld < SIZE && fake_pop(&fx.device, &held[nheld]))
			nheld++;
		if (fake_random(2) && nheld) {
			uint32_t i = fake_random(nheld);

			fake_use(&fx.device, held[i].id, fake_random(held[i].writable + 1));
			held[i] = held[--nheld];
		}
		if (virtqueue_take(&fx.q, &token, &length) == CAP_OK) {
			assert_true(token < 1024 && outstanding[token]);
			outstanding[token] = false;
			taken++;
		}
		assert_false(fx.q.broken);
	}
}

static void doorbell(void **state)
{
	(void)state;
	begin(SIZE, true);
	fake_set_available_event(&fx.device, 2);
	add(1, 0, true);
	assert_false(virtqueue_kick(&fx.q)); /* nothing past entry 2 */
	assert_false(virtqueue_kick(&fx.q)); /* nothing new */
	add(1, 1, true);
	add(1, 2, true);
	assert_true(virtqueue_kick(&fx.q));
	add(1, 3, true);
	assert_false(virtqueue_kick(&fx.q));

	begin(SIZE, false);
	atomic_store(&fx.q.used->flags, VIRTQUEUE_NO_NOTIFY);
	add(1, 0, true);
	assert_false(virtqueue_kick(&fx.q));
	assert_int_equal(fx.doorbell, 0xffff);
	atomic_store(&fx.q.used->flags, 0);
	add(1, 1, true);
	assert_true(virtqueue_kick(&fx.q));
}

static void use_next(void)
{
	struct fake_chain c;

	assert_true(fake_pop(&fx.device, &c));
	fake_use(&fx.device, c.id, 0);
}

static void interrupts(void **state)
{
	uint32_t token, length;

	(void)state;
	begin(SIZE, true);
	for (uint32_t i = 0; i < 8; i++)
		add(1, i, true);
	virtqueue_kick(&fx.q);
	/* Not wanted: the event index is behind. */
	assert_int_equal(fake_used_event(&fx.device), 0xffff);
	assert_false(virtqueue_want_interrupt(&fx.q, 1));
	assert_int_equal(fake_used_event(&fx.device), 0);
	use_next();
	/* The second look: it came before we asked. */
	assert_true(virtqueue_want_interrupt(&fx.q, 1));
	assert_int_equal(virtqueue_take(&fx.q, &token, &length), CAP_OK);
	assert_false(virtqueue_want_interrupt(&fx.q, 3));
	assert_int_equal(fake_used_event(&fx.device), 3);
	use_next();
	use_next();
	assert_false(virtqueue_want_interrupt(&fx.q, 3));
	use_next();
	assert_true(virtqueue_want_interrupt(&fx.q, 3));
	virtqueue_dont_want_interrupt(&fx.q);
	assert_int_equal(fake_used_event(&fx.device), 0);

	begin(SIZE, false);
	assert_int_equal(atomic_load(&fx.q.available->flags), VIRTQUEUE_NO_INTERRUPT);
	assert_false(virtqueue_want_interrupt(&fx.q, 1));
	assert_int_equal(atomic_load(&fx.q.available->flags), 0);
	virtqueue_dont_want_interrupt(&fx.q);
	assert_int_equal(atomic_load(&fx.q.available->flags), VIRTQUEUE_NO_INTERRUPT);
}

/* Four chains with the device, heads 0, 2, 4, 6, each of two writable descriptors of 100 bytes. */
static void with_chains(void)
{
	begin(SIZE, true);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(add(2, i, true), CAP_OK);
	virtqueue_kick(&fx.q);
}

static void expect_broken(void)
{
	uint32_t token, length;

	assert_int_equal(virtqueue_take(&fx.q, &token, &length), CAP_EMESSAGE);
	assert_true(fx.q.broken);
	assert_int_equal(virtqueue_take(&fx.q, &token, &length), CAP_EMESSAGE);
	assert_int_equal(add(1, 1, true), CAP_EMESSAGE);
	assert_int_equal(virtqueue_room(&fx.q), 0);
	assert_false(virtqueue_kick(&fx.q));
	assert_false(virtqueue_want_interrupt(&fx.q, 1));
}

static void false_indices(void **state)
{
	uint32_t token, length;

	(void)state;
	with_chains(); /* no such descriptor */
	fake_use(&fx.device, SIZE, 0);
	expect_broken();
	with_chains();
	fake_use(&fx.device, UINT32_MAX, 0);
	expect_broken();
	with_chains(); /* the middle of a chain */
	fake_use(&fx.device, 1, 0);
	expect_broken();
	with_chains(); /* never added */
	fake_use(&fx.device, 9, 0);
	expect_broken();
	with_chains(); /* more than it was given */
	fake_use(&fx.device, 2, 201);
	expect_broken();
	with_chains(); /* the same twice */
	fake_use(&fx.device, 2, 200);
	fake_use(&fx.device, 2, 200);
	assert_int_equal(virtqueue_take(&fx.q, &token, &length), CAP_OK);
	assert_int_equal(token, 1);
	expect_broken();
	with_chains(); /* more than are out */
	atomic_store(&fx.q.used->index, 5);
	expect_broken();
	with_chains(); /* an index that goes back */
	fake_use(&fx.device, 0, 0);
	assert_int_equal(virtqueue_take(&fx.q, &token, &length), CAP_OK);
	atomic_store(&fx.q.used->index, 0);
	expect_broken();
	with_chains(); /* the false index is found at the first look */
	atomic_store(&fx.q.used->index, 900);
	assert_false(virtqueue_want_interrupt(&fx.q, 1));
	assert_true(fx.q.broken);
}

/* Random bytes all over the memory that the device can write, while the driver goes on. */
static void garbage(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 3000; round++) {
		bool out[4] = {true, true, true, true};
		uint32_t token, length;

		with_chains();
		for (uint32_t i = 0; i < 40; i++)
			fx.memory[fake_random(VIRTQUEUE_MEMORY_SIZE(SIZE))] =
			        (uint8_t)fake_random(256);
		/* Small numbers are the ones that come close to the truth. */
		atomic_store(&fx.q.used->index, (uint16_t)fake_random(6));
		for (uint32_t i = 0; i < 4; i++) {
			atomic_store(&fx.q.used->ring[i].id, fake_random(10));
			atomic_store(&fx.q.used->ring[i].length, fake_random(210));
		}
		while (virtqueue_take(&fx.q, &token, &length) == CAP_OK) {
			assert_true(token < 4 && out[token] && length <= 200);
			out[token] = false;
		}
		virtqueue_kick(&fx.q);
		assert_int_equal(fx.q.free_count + 2 * fx.q.outstanding, SIZE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(layout),     cmocka_unit_test(room_and_arguments),
	        cmocka_unit_test(traffic),    cmocka_unit_test(doorbell),
	        cmocka_unit_test(interrupts), cmocka_unit_test(false_indices),
	        cmocka_unit_test(garbage),
	};

	return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}

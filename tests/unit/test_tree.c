/* SPDX-License-Identifier: MIT */
/*
 * Trees against a model: order, ties, searches; and that no order of keys makes one deep.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/arch.h"
#include "kernel/tree.h"

#define COUNT 8192u

static struct tree tree;
static struct tree_node nodes[COUNT];

void arch_random_seed(uint8_t *buffer, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buffer[i] = (uint8_t)(rand() + 1);
}

static unsigned depth(const struct tree_node *node)
{
	unsigned d = 0;
	for (; node; node = node->parent)
		d++;
	return d;
}

static void insert(unsigned i, uint64_t high, uint64_t low)
{
	nodes[i].key = (struct tree_key){high, low};
	tree_insert(&tree, &nodes[i]);
}

/* Ascending keys, as a program would give to make a plain tree a list. */
static void stays_flat(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		insert(i, i, 0);
	struct tree_node *node = tree_first(&tree);
	for (unsigned i = 0; i < COUNT; i++, node = tree_next(node)) {
		assert_ptr_equal(node, &nodes[i]);
		assert_true(depth(node) < 80); /* 13 at best, some 30 expected */
	}
	assert_null(node);
	for (unsigned i = 0; i < COUNT; i++)
		tree_remove(&tree, &nodes[i]);
	assert_null(tree.root);
}

static void equal_keys_keep_their_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		insert(i, i % 3, 7);
	unsigned seen = 0, last = 0;
	for (struct tree_node *node = tree_first(&tree); node; node = tree_next(node), seen++) {
		unsigned i = (unsigned)(node - nodes);
		if (seen > 0 && nodes[last].key.high == node->key.high)
			assert_true(i > last);
		last = i;
	}
	assert_int_equal(seen, 100);
	assert_ptr_equal(tree_at_least(&tree, 1, 0), &nodes[1]);
	assert_ptr_equal(tree_at_most(&tree, 1, 7), &nodes[97]);
	assert_ptr_equal(tree_at_least(&tree, 1, 8), &nodes[2]);
	assert_ptr_equal(tree_at_most(&tree, 1, 6), &nodes[99]);
	assert_null(tree_at_least(&tree, 3, 0));
	assert_null(tree_at_most(&tree, 0, 6));
	for (unsigned i = 0; i < 100; i++)
		tree_remove(&tree, &nodes[i]);
	assert_null(tree.root);
}

static void random_use(void **state)
{
	static bool in[COUNT];
	const unsigned keys = 500;
	(void)state;
	srand(3);
	for (unsigned step = 0; step < 50000; step++) {
		unsigned i = (unsigned)rand() % keys;
		if (in[i])
			tree_remove(&tree, &nodes[i]);
		else
			insert(i, i / 10, i % 10);
		in[i] = !in[i];
		unsigned at = (unsigned)rand() % keys, up = at, down = at;
		while (up < keys && !in[up])
			up++;
		while (down > 0 && !in[down])
			down--;
		assert_ptr_equal(tree_at_least(&tree, at / 10, at % 10),
		                 up < keys ? &nodes[up] : NULL);
		assert_ptr_equal(tree_at_most(&tree, at / 10, at % 10),
		                 in[down] ? &nodes[down] : NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(stays_flat),
	        cmocka_unit_test(equal_keys_keep_their_order),
	        cmocka_unit_test(random_use),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

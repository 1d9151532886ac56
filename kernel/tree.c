/* SPDX-License-Identifier: MIT */
/*
 * Treaps: ordered by key from left to right, by priority from the root down.  A node goes in as a
 * leaf and is rotated up to where its priority belongs; it is rotated down to a leaf to be taken
 * out.  Nothing recurses.
 */
#include "tree.h"
#include "kernel.h"
#include "arch.h"

/* xorshift64*: quick, and no program sees its output. */
static uint64_t random_priority(void)
{
	static uint64_t state;
	while (state == 0)
		arch_random_seed((uint8_t *)&state, sizeof(state));
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

static bool below(const struct tree_key *a, const struct tree_key *b)
{
	return a->high < b->high || (a->high == b->high && a->low < b->low);
}

/* Puts other where node hangs from its parent. */
static void replace(struct tree *tree, struct tree_node *node, struct tree_node *other)
{
	struct tree_node *parent = node->parent;
	if (!parent)
		tree->root = other;
	else if (parent->left == node)
		parent->left = other;
	else
		parent->right = other;
	if (other)
		other->parent = parent;
}

/* Makes child, which is node's, its parent; the order stays. */
static void rotate_up(struct tree *tree, struct tree_node *node, struct tree_node *child)
{
	struct tree_node *moved;
	replace(tree, node, child);
	if (node->left == child) {
		moved = node->left = child->right;
		child->right = node;
	} else {
		moved = node->right = child->left;
		child->left = node;
	}
	if (moved)
		moved->parent = node;
	node->parent = child;
}

void tree_insert(struct tree *tree, struct tree_node *node)
{
	struct tree_node **link = &tree->root;
	node->parent = node->left = node->right = NULL;
	node->priority = random_priority();
	while (*link) {
		node->parent = *link;
		link = below(&node->key, &(*link)->key) ? &(*link)->left : &(*link)->right;
	}
	*link = node;
	while (node->parent && node->parent->priority < node->priority)
		rotate_up(tree, node->parent, node);
}

void tree_remove(struct tree *tree, struct tree_node *node)
{
	while (node->left && node->right) {
		bool left = node->left->priority > node->right->priority;
		rotate_up(tree, node, left ? node->left : node->right);
	}
	replace(tree, node, node->left ? node->left : node->right);
	node->parent = node->left = node->right = NULL;
}

static struct tree_node *leftmost(struct tree_node *node)
{
	while (node && node->left)
		node = node->left;
	return node;
}

static struct tree_node *rightmost(struct tree_node *node)
{
	while (node && node->right)
		node = node->right;
	return node;
}

struct tree_node *tree_first(const struct tree *tree)
{
	return leftmost(tree->root);
}

struct tree_node *tree_next(const struct tree_node *node)
{
	if (node->right)
		return leftmost(node->right);
	while (node->parent && node->parent->right == node)
		node = node->parent;
	return node->parent;
}

struct tree_node *tree_previous(const struct tree_node *node)
{
	if (node->left)
		return rightmost(node->left);
	while (node->parent && node->parent->left == node)
		node = node->parent;
	return node->parent;
}

struct tree_node *tree_at_least(const struct tree *tree, uint64_t high, uint64_t low)
{
	const struct tree_key key = {high, low};
	struct tree_node *found = NULL;
	for (struct tree_node *node = tree->root; node;) {
		if (below(&node->key, &key)) {
			node = node->right;
		} else {
			found = node;
			node = node->left;
		}
	}
	return found;
}

struct tree_node *tree_at_most(const struct tree *tree, uint64_t high, uint64_t low)
{
	const struct tree_key key = {high, low};
	struct tree_node *found = NULL;
	for (struct tree_node *node = tree->root; node;) {
		if (below(&key, &node->key)) {
			node = node->left;
		} else {
			found = node;
			node = node->right;
		}
	}
	return found;
}

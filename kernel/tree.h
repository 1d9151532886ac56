/* SPDX-License-Identifier: MIT */
/*
 * Intrusive ordered trees: a set of nodes by a key of two numbers, nodes of equal key in the order
 * in which they were inserted.  Every operation visits a number of nodes that grows with the
 * logarithm of the set, whatever keys a program chooses: the shape depends on random priorities
 * that it does not know (a treap).
 */
#ifndef KERNEL_TREE_H
#define KERNEL_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_key {
	uint64_t high, low;
};

struct tree_node {
	struct tree_node *parent, *left, *right; /* private */
	uint64_t priority;                       /* private: no child's is higher */
	/* May be changed while the node is in a tree if the order stays. */
	struct tree_key key;
};

struct tree {
	struct tree_node *root;
};

/* Inserts the node, which is in no tree, with its key. */
void tree_insert(struct tree *tree, struct tree_node *node);
void tree_remove(struct tree *tree, struct tree_node *node);
/* NULL: none. */
struct tree_node *tree_first(const struct tree *tree);
struct tree_node *tree_next(const struct tree_node *node);
struct tree_node *tree_previous(const struct tree_node *node);
/* The first node whose key is not below the one given. */
struct tree_node *tree_at_least(const struct tree *tree, uint64_t high, uint64_t low);
/* The last node whose key is not above the one given. */
struct tree_node *tree_at_most(const struct tree *tree, uint64_t high, uint64_t low);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The files service's tree, path resolution, handles and loading: what POSIX says about names and
 * links, that no path leaves its root, and that memory comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "services/files/handle.h"
#include "services/files/load.h"
#include "tests/unit/files_source.h"

static struct test_pages pages;
static struct page_source source;
static struct slab slab;
static struct tree tree;
static struct path_buffer buffer, second;

static int setup(void **state)
{
	(void)state;
	pages = (struct test_pages){.limit = 100000};
	source = test_source(&pages);
	slab_init(&slab, &source);
	return tree_init(&tree, &slab, 1000);
}

static int teardown(void **state)
{
	(void)state;
	tree_free(&tree);
	assert_int_equal(tree.inodes, 0);
	assert_int_equal(pages.out, 0);
	return 0;
}

static struct path_from top(void)
{
	return (struct path_from){tree.top, tree.top};
}

static int resolve_from(struct path_from from, const char *path, bool follow, struct place *out)
{
	return path_resolve(&tree, from, path, (uint32_t)strlen(path), follow, &buffer, out);
}

static struct inode *at(const char *path)
{
	struct place place;

	assert_int_equal(resolve_from(top(), path, true, &place), STATUS_OK);
	return place.inode;
}

static int make_directory(const char *path)
{
	struct place place;
	int status = resolve_from(top(), path, false, &place);

	return status        ? status
	       : place.inode ? STATUS_EXISTS
	                     : tree_make_directory(&tree, place.directory, place.text, place.length,
	                                           0755, NULL);
}

static int make_file(const char *path)
{
	struct place place;
	int status = resolve_from(top(), path, true, &place);

	return status        ? status
	       : place.inode ? STATUS_EXISTS
	                     : tree_make_file(&tree, place.directory, place.text, place.length,
	                                      0644, NULL);
}

static int make_symlink(const char *target, const char *path)
{
	struct place place;
	int status = resolve_from(top(), path, false, &place);

	return status        ? status
	       : place.inode ? STATUS_EXISTS
	                     : tree_make_symlink(&tree, place.directory, place.text, place.length,
	                                         target, (uint32_t)strlen(target), NULL);
}

static int rename_path(const char *from, const char *to)
{
	struct place a, b;
	int status = resolve_from(top(), from, false, &a);

	if (!status && !a.inode)
		status = STATUS_NO_ENTRY;
	if (!status)
		status = path_resolve(&tree, top(), to, (uint32_t)strlen(to), false, &second, &b);
	return status ? status : tree_rename(&tree, a.name, b.directory, b.text, b.length, b.name);
}

static int exchange_paths(const char *one, const char *other)
{
	struct place a, b;
	int status = resolve_from(top(), one, false, &a);

	if (!status)
		status = path_resolve(&tree, top(), other, (uint32_t)strlen(other), false, &second,
		                      &b);
	return status ? status : tree_exchange(&tree, a.name, b.name);
}

static int remove_path(const char *path, bool directory)
{
	struct place place;
	int status = resolve_from(top(), path, false, &place);

	if (!status && !place.inode)
		status = STATUS_NO_ENTRY;
	return status ? status : tree_remove(&tree, place.name, directory);
}

static void test_paths(void **state)
{
	struct place place;

	(void)state;
	assert_int_equal(make_directory("/a"), STATUS_OK);
	assert_int_equal(make_directory("a/b/"), STATUS_OK);
	assert_int_equal(make_file("/a/b/f"), STATUS_OK);
	assert_ptr_equal(at("/"), tree.top);
	assert_ptr_equal(at("///"), tree.top);
	assert_ptr_equal(at("/.."), tree.top);
	assert_ptr_equal(at("../../a/./b/../../a"), at("/a"));
	assert_ptr_equal(at("a//b///f"), at("/a/b/f"));
	assert_ptr_equal(at("a/"), at("/a"));
	assert_int_equal(resolve_from(top(), "", true, &place), STATUS_NO_ENTRY);
	assert_int_equal(resolve_from(top(), "/a/b/f/", true, &place), STATUS_NOT_DIRECTORY);
	assert_int_equal(resolve_from(top(), "/a/b/f/.", true, &place), STATUS_NOT_DIRECTORY);
	assert_int_equal(resolve_from(top(), "/a/b/f/..", true, &place), STATUS_NOT_DIRECTORY);
	assert_int_equal(resolve_from(top(), "/a/b/f/x", true, &place), STATUS_NOT_DIRECTORY);
	assert_int_equal(resolve_from(top(), "/a/x/y", true, &place), STATUS_NO_ENTRY);
	assert_int_equal(resolve_from(top(), "/a/x/..", true, &place), STATUS_NO_ENTRY);
	assert_int_equal(resolve_from(top(), "/a/x", true, &place), STATUS_OK);
	assert_null(place.inode);
	assert_ptr_equal(place.directory, at("/a"));
	assert_int_equal(path_resolve(&tree, top(), "a\0b", 3, true, &buffer, &place),
	                 STATUS_INVALID_ARGUMENT);
	char longest[TREE_PATH_MAX + 2];
	memset(longest, '/', sizeof(longest));
	assert_int_equal(path_resolve(&tree, top(), longest, TREE_PATH_MAX, true, &buffer, &place),
	                 STATUS_OK);
	assert_int_equal(
	        path_resolve(&tree, top(), longest, TREE_PATH_MAX + 1, true, &buffer, &place),
	        STATUS_NAME_TOO_LONG);
	memset(longest, 'n', sizeof(longest));
	assert_int_equal(path_resolve(&tree, top(), longest, 256, true, &buffer, &place),
	                 STATUS_NAME_TOO_LONG);
	assert_int_equal(path_resolve(&tree, top(), longest, 255, true, &buffer, &place),
	                 STATUS_OK);
	assert_int_equal(tree_make_file(&tree, place.directory, place.text, place.length, 0, NULL),
	                 STATUS_OK);
	char text[100];
	uint32_t length;
	bool gone = false;
	assert_int_equal(path_of(tree.top, at("/a/b"), text, sizeof(text), &length, &gone),
	                 STATUS_OK);
	assert_string_equal(text, "/a/b");
	assert_int_equal(length, 4);
	assert_int_equal(path_of(tree.top, tree.top, text, sizeof(text), &length, &gone),
	                 STATUS_OK);
	assert_string_equal(text, "/");
	assert_int_equal(path_of(at("/a"), at("/a/b"), text, sizeof(text), &length, &gone),
	                 STATUS_OK);
	assert_string_equal(text, "/b");
	assert_int_equal(path_of(at("/a/b"), at("/a"), text, sizeof(text), &length, &gone),
	                 STATUS_NO_ENTRY);
	assert_int_equal(path_of(tree.top, at("/a/b"), text, 4, &length, &gone),
	                 STATUS_NAME_TOO_LONG);
}

static void test_symlinks(void **state)
{
	struct place place;

	(void)state;
	make_directory("/d");
	make_directory("/d/e");
	make_file("/d/e/f");
	assert_int_equal(make_symlink("d/e", "/rel"), STATUS_OK);
	assert_int_equal(make_symlink("/d", "/d/e/abs"), STATUS_OK);
	assert_int_equal(make_symlink("../../../../d/e/f", "/d/e/up"), STATUS_OK);
	assert_int_equal(make_symlink("new", "/d/dangling"), STATUS_OK);
	assert_int_equal(make_symlink("loop2", "/loop1"), STATUS_OK);
	assert_int_equal(make_symlink("/loop1", "/loop2"), STATUS_OK);
	assert_int_equal(make_symlink("x", "/rel"), STATUS_EXISTS);
	assert_int_equal(make_symlink("", "/none"), STATUS_NO_ENTRY);
	assert_ptr_equal(at("/rel/f"), at("/d/e/f"));
	assert_ptr_equal(at("/rel/abs/e/up"), at("/d/e/f"));
	assert_ptr_equal(at("/rel/.."), at("/d"));
	assert_int_equal(resolve_from(top(), "/rel", false, &place), STATUS_OK);
	assert_int_equal(place.inode->type, FILE_TYPE_SYMLINK);
	assert_int_equal(resolve_from(top(), "/rel/", false, &place), STATUS_OK);
	assert_ptr_equal(place.inode, at("/d/e"));
	assert_int_equal(resolve_from(top(), "/loop1", true, &place), STATUS_TOO_MANY_LINKS);
	assert_int_equal(resolve_from(top(), "/loop1/x", false, &place), STATUS_TOO_MANY_LINKS);
	/* A dangling one says where its target would be. */
	assert_int_equal(resolve_from(top(), "/d/dangling", true, &place), STATUS_OK);
	assert_null(place.inode);
	assert_ptr_equal(place.directory, at("/d"));
	assert_int_equal(place.length, 3);
	assert_memory_equal(place.text, "new", 3);
	assert_int_equal(resolve_from(top(), "/d/dangling/x", true, &place), STATUS_NO_ENTRY);
	/* 40 in a row are followed, 41 are not. */
	make_file("/s0");
	for (int i = 1; i <= 41; i++) {
		char target[16], path[16];
		snprintf(target, sizeof(target), "s%d", i - 1);
		snprintf(path, sizeof(path), "s%d", i);
		assert_int_equal(make_symlink(target, path), STATUS_OK);
	}
	assert_ptr_equal(at("/s40"), at("/s0"));
	assert_int_equal(resolve_from(top(), "/s41", true, &place), STATUS_TOO_MANY_LINKS);
	/* Targets that grow the path past what is allowed. */
	char target[TREE_PATH_MAX + 2];
	memset(target, '/', sizeof(target));
	target[TREE_PATH_MAX] = 0;
	assert_int_equal(make_symlink(target, "/big"), STATUS_OK);
	assert_ptr_equal(at("/big"), tree.top);
	assert_int_equal(resolve_from(top(), "/big/d", true, &place), STATUS_NAME_TOO_LONG);
	target[TREE_PATH_MAX] = '/';
	target[TREE_PATH_MAX + 1] = 0;
	assert_int_equal(make_symlink(target, "/bigger"), STATUS_NAME_TOO_LONG);
}

static void test_root_is_not_left(void **state)
{
	struct place place;

	(void)state;
	make_directory("/jail");
	make_directory("/jail/in");
	make_directory("/outside");
	make_symlink("/outside", "/jail/link");
	make_symlink("../../outside", "/jail/in/link");
	make_symlink("/in", "/jail/absolute");
	struct path_from jail = {at("/jail"), at("/jail/in")};
	assert_int_equal(resolve_from(jail, "../..", true, &place), STATUS_OK);
	assert_ptr_equal(place.inode, jail.root);
	assert_int_equal(resolve_from(jail, "/outside", true, &place), STATUS_OK);
	assert_null(place.inode);
	assert_int_equal(resolve_from(jail, "/link", true, &place), STATUS_OK);
	assert_null(place.inode);
	assert_ptr_equal(place.directory, jail.root);
	assert_int_equal(resolve_from(jail, "link", true, &place), STATUS_OK);
	assert_null(place.inode);
	assert_int_equal(resolve_from(jail, "/absolute", true, &place), STATUS_OK);
	assert_ptr_equal(place.inode, jail.start);
	/* Moved out from under its root, a directory still cannot be climbed from. */
	assert_int_equal(rename_path("/jail/in", "/outside/in"), STATUS_OK);
	assert_int_equal(resolve_from(jail, "..", true, &place), STATUS_ACCESS_DENIED);
	assert_int_equal(resolve_from(jail, "../../outside", true, &place), STATUS_ACCESS_DENIED);
	assert_int_equal(resolve_from(jail, ".", true, &place), STATUS_OK);
	assert_int_equal(resolve_from(jail, "/..", true, &place), STATUS_OK);
	assert_ptr_equal(place.inode, jail.root);
}

static void test_links(void **state)
{
	struct file_stat stat;

	(void)state;
	make_directory("/d");
	make_file("/f");
	struct inode *file = at("/f");
	inode_stat(at("/"), &stat);
	assert_int_equal(stat.links, 3);
	assert_int_equal(tree_link(&tree, file, at("/d"), "g", 1), STATUS_OK);
	assert_ptr_equal(at("/d/g"), file);
	assert_int_equal(file->links, 2);
	assert_int_equal(tree_link(&tree, at("/d"), tree.top, "e", 1), STATUS_NOT_PERMITTED);
	assert_int_equal(remove_path("/f", true), STATUS_NOT_DIRECTORY);
	assert_int_equal(remove_path("/f", false), STATUS_OK);
	assert_int_equal(remove_path("/f", false), STATUS_NO_ENTRY);
	assert_ptr_equal(at("/d/g"), file);
	assert_int_equal(remove_path("/d", false), STATUS_IS_DIRECTORY);
	assert_int_equal(remove_path("/d", true), STATUS_NOT_EMPTY);
	/* Removed while held: the contents live on. */
	uint32_t written;
	uint8_t bytes[5];
	assert_int_equal(tree_write(&tree, file, false, 0, "hello", 5, &written), STATUS_OK);
	inode_hold(file);
	assert_int_equal(remove_path("/d/g", false), STATUS_OK);
	assert_int_equal(file->links, 0);
	assert_int_equal(tree_read(&tree, file, 0, bytes, 5), 5);
	assert_memory_equal(bytes, "hello", 5);
	uint64_t inodes = tree.inodes;
	inode_drop(&tree, file);
	assert_int_equal(tree.inodes, inodes - 1);
	/* A removed directory that is held takes nothing in, and ".." still leads up. */
	struct inode *d = at("/d");
	struct place place;
	make_directory("/d/e");
	struct inode *e = at("/d/e");
	inode_hold(e);
	assert_int_equal(remove_path("/d/e", true), STATUS_OK);
	assert_int_equal(remove_path("/d", true), STATUS_OK);
	assert_int_equal(tree_make_file(&tree, e, "x", 1, 0, NULL), STATUS_NO_ENTRY);
	struct path_from from = {tree.top, e};
	assert_int_equal(resolve_from(from, "..", true, &place), STATUS_OK);
	assert_ptr_equal(place.inode, d);
	assert_int_equal(resolve_from(from, "../..", true, &place), STATUS_OK);
	assert_ptr_equal(place.inode, tree.top);
	inode_drop(&tree, e);
	assert_int_equal(tree.inodes, 1);
	assert_int_equal(tree.top->links, 2);
	assert_int_equal(tree.top->held, 0);
}

static void test_exchange_loses_a_name_or_a_link(void **state)
{
	(void)state;
	make_directory("/a");
	make_directory("/a/b");
	make_directory("/c");
	make_file("/a/b/inner");
	make_file("/f");
	struct inode *b = at("/a/b"), *f = at("/f"), *c = at("/c");
	assert_int_equal(exchange_paths("/a/b", "/f"), STATUS_OK);
	assert_ptr_equal(at("/f"), b);
	assert_ptr_equal(at("/a/b"), f);
	assert_ptr_equal(at("/f/.."), tree.top);
	assert_int_equal(at("/a")->links, 2);
	assert_int_equal(tree.top->links, 2 + 3);
	assert_int_equal(exchange_paths("/f", "/c"), STATUS_OK);
	assert_ptr_equal(at("/c/inner")->links ? at("/c") : NULL, b);
	assert_ptr_equal(at("/f"), c);
	assert_int_equal(exchange_paths("/a", "/a/b"), STATUS_INVALID_ARGUMENT);
	assert_int_equal(exchange_paths("/a/b", "/a"), STATUS_INVALID_ARGUMENT);
	assert_int_equal(exchange_paths("/a", "/a"), STATUS_OK);
	assert_int_equal(exchange_paths("/c", "/a/b"), STATUS_OK);
	assert_ptr_equal(at("/a/b/.."), at("/a"));
	assert_int_equal(at("/a")->links, 3);
	assert_int_equal(remove_path("/a/b/inner", false), STATUS_OK);
	assert_int_equal(remove_path("/a/b", true), STATUS_OK);
	assert_int_equal(at("/a")->links, 2);
}

/* The counter of what the path leads to went up since the version was told. */
static bool counted(uint64_t *told, const char *path)
{
	uint64_t before = *told;
	uint16_t counter;

	*told = inode_version(&tree, at(path), &counter);
	return *told > before;
}

static void test_changes_are_counted(void **state)
{
	static uint64_t changes[CHANGES_COUNTERS];
	uint64_t directory = 0, file = 0, moved;
	struct file_stat stat = {.version = 0};
	uint32_t written;

	(void)state;
	assert_int_equal(make_directory("/d"), STATUS_OK);
	assert_int_equal(make_file("/d/f"), STATUS_OK);
	inode_remember(&tree, at("/d/f"), &stat);
	assert_int_equal(stat.version, 0); /* nobody could see that it has changed */
	changes[CHANGES_MOVED] = 1;
	tree.changes = changes;
	assert_false(counted(&directory, "/d"));
	assert_int_equal(make_file("/d/g"), STATUS_OK);
	assert_true(counted(&directory, "/d"));
	assert_false(counted(&file, "/d/f"));
	inode_set_mode(&tree, at("/d/f"), 0600);
	assert_true(counted(&file, "/d/f"));
	inode_set_owner(&tree, at("/d/f"), 1, 1);
	assert_true(counted(&file, "/d/f"));
	inode_set_times(&tree, at("/d/f"), 1, 2);
	assert_true(counted(&file, "/d/f"));
	assert_int_equal(tree_write(&tree, at("/d/f"), false, 0, "x", 1, &written), STATUS_OK);
	assert_true(counted(&file, "/d/f"));
	tree_read(&tree, at("/d/f"), 0, &written, 1);
	assert_true(counted(&file, "/d/f"));
	assert_int_equal(tree_truncate(&tree, at("/d/f"), 0), STATUS_OK);
	assert_true(counted(&file, "/d/f"));
	assert_int_equal(exchange_paths("/d/f", "/d/g"), STATUS_OK);
	assert_true(counted(&file, "/d/g"));
	assert_true(counted(&directory, "/d"));
	inode_stat(at("/d/g"), &stat);
	inode_remember(&tree, at("/d/g"), &stat);
	assert_int_equal(stat.version, file);
	assert_false(stat.open);
	/* Names of files lead no path elsewhere, those of directories and links may. */
	assert_int_equal(changes[CHANGES_MOVED], 1);
	moved = 1;
	assert_int_equal(make_directory("/d/e"), STATUS_OK);
	assert_true(changes[CHANGES_MOVED] > moved);
	moved = changes[CHANGES_MOVED];
	assert_int_equal(exchange_paths("/d/f", "/d/e"), STATUS_OK);
	assert_true(changes[CHANGES_MOVED] > moved);
	moved = changes[CHANGES_MOVED];
	assert_int_equal(remove_path("/d/f", true), STATUS_OK);
	assert_true(changes[CHANGES_MOVED] > moved);
}

static void test_rename(void **state)
{
	(void)state;
	make_directory("/a");
	make_directory("/a/b");
	make_directory("/empty");
	make_directory("/full");
	make_file("/full/f");
	make_file("/f");
	make_file("/g");
	struct inode *f = at("/f");
	assert_int_equal(rename_path("/f", "/g"), STATUS_OK);
	assert_ptr_equal(at("/g"), f);
	assert_int_equal(rename_path("/f", "/h"), STATUS_NO_ENTRY);
	assert_int_equal(rename_path("/g", "/g"), STATUS_OK);
	assert_int_equal(rename_path("/a", "/a/b/c"), STATUS_INVALID_ARGUMENT);
	assert_int_equal(rename_path("/a", "/a/c"), STATUS_INVALID_ARGUMENT);
	assert_int_equal(rename_path("/a/b", "/a"), STATUS_NOT_EMPTY);
	assert_int_equal(rename_path("/a", "/full"), STATUS_NOT_EMPTY);
	assert_int_equal(rename_path("/a", "/g"), STATUS_NOT_DIRECTORY);
	assert_int_equal(rename_path("/g", "/a"), STATUS_IS_DIRECTORY);
	struct inode *b = at("/a/b");
	assert_int_equal(rename_path("/a/b", "/empty"), STATUS_OK);
	assert_ptr_equal(at("/empty"), b);
	assert_ptr_equal(at("/empty/.."), tree.top);
	assert_int_equal(at("/a")->links, 2);
	assert_int_equal(tree.top->links, 2 + 3);
	assert_int_equal(rename_path("/empty", "/a/b2/"), STATUS_OK);
	assert_ptr_equal(at("/a/b2/.."), at("/a"));
	assert_int_equal(tree_link(&tree, f, tree.top, "second", 6), STATUS_OK);
	assert_int_equal(rename_path("/second", "/g"),
	                 STATUS_OK); /* the same file: nothing happens */
	assert_int_equal(f->links, 2);
	/* Lack of memory leaves everything as it was. */
	pages.limit = 0;
	char name[256];
	memset(name, 'n', 255);
	name[255] = 0;
	int status = STATUS_OK;
	for (int i = 0; i < 100 && !status; i++) {
		name[0] = (char)('A' + i % 26);
		name[1] = (char)('A' + i / 26);
		status = make_file(name);
	}
	assert_int_equal(status, STATUS_NO_SPACE);
	assert_int_equal(rename_path("/g", name), STATUS_NO_SPACE);
	assert_ptr_equal(at("/g"), f);
	pages.limit = 100000;
	assert_int_equal(rename_path("/g", name), STATUS_OK);
}

static void test_listing_survives_changes(void **state)
{
	char path[16];
	uint64_t position = 0;
	int seen = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "f%d", i);
		assert_int_equal(make_file(path), STATUS_OK);
	}
	/* Every second one is removed while the list is read; no other is missed or listed
	 * twice. */
	for (struct name *name; (name = tree_next(tree.top, position)); seen++) {
		position = name->position;
		snprintf(path, sizeof(path), "f%d", 2 * seen);
		assert_int_equal(name->length, strlen(path));
		assert_memory_equal(name->text, path, name->length);
		snprintf(path, sizeof(path), "f%d", 2 * seen + 1);
		assert_int_equal(remove_path(path, false), STATUS_OK);
	}
	assert_int_equal(seen, 500);
}

static void test_handles(void **state)
{
	static struct handle places[HANDLES_MAX];
	static struct handle_table table = {.handles = places, .most = HANDLES_MAX};
	uint64_t first, second_word, word;

	(void)state;
	make_file("/f");
	struct inode *f = at("/f");
	assert_int_equal(handle_open(&table, f, NULL, OPEN_READ, 7, &first), STATUS_OK);
	assert_int_not_equal(first, HANDLE_ROOT);
	assert_int_equal(handle_open(&table, tree.top, tree.top, 0, 7, &second_word), STATUS_OK);
	assert_ptr_equal(handle_find(&table, first)->inode, f);
	handle_close(&table, &tree, first);
	assert_null(handle_find(&table, first));
	handle_close(&table, &tree, first);
	assert_false(first & HANDLE_SESSION_BIT);
	assert_int_equal(handle_open(&table, f, NULL, 0, 7, &word), STATUS_OK);
	assert_int_not_equal(word, first); /* same place, another handle */
	assert_null(handle_find(&table, first));
	assert_null(handle_find(&table, 0));
	assert_null(handle_find(&table, HANDLE_ROOT));
	assert_null(handle_find(&table, UINT64_MAX));
	handle_close(&table, &tree, word);
	handle_close(&table, &tree, second_word);
	assert_int_equal(f->held, 0);
	/* One session cannot take what others need. */
	static uint64_t words[HANDLES_MAX / 2];
	for (uint32_t i = 0; i < HANDLES_PER_SESSION(&table); i++)
		assert_int_equal(handle_open(&table, f, NULL, 0, 1, &words[i]), STATUS_OK);
	assert_int_equal(handle_open(&table, f, NULL, 0, 1, &word), STATUS_NO_BUFFERS);
	assert_int_equal(handle_open(&table, f, NULL, 0, 2, &word), STATUS_OK);
	handle_close(&table, &tree, word);
	for (uint32_t i = 0; i < HANDLES_PER_SESSION(&table); i++)
		handle_close(&table, &tree, words[i]);
	assert_int_equal(f->held, 0);
}

static void test_a_device_is_a_name_with_a_number_and_an_owner(void **state)
{
	struct file_stat stat;

	(void)state;
	assert_int_equal(tree_make_node(&tree, tree.top, "d", 1, FILE_TYPE_BLOCK_DEVICE, 0660, 77),
	                 STATUS_OK);
	inode_set_owner(&tree, at("/d"), 5, KEEP_OWNER);
	inode_set_owner(&tree, at("/d"), KEEP_OWNER, 6);
	inode_stat(at("/d"), &stat);
	assert_int_equal(stat.type, FILE_TYPE_BLOCK_DEVICE);
	assert_int_equal(stat.device, 77);
	assert_int_equal(stat.user, 5);
	assert_int_equal(stat.group, 6);
	assert_int_equal(stat.size, 0);
	assert_int_equal(remove_path("/d", false), STATUS_OK);
}

/* Pages come from the client that makes something, and go back there, whichever client removes
 * it. */
static void test_a_fifo_has_memory_while_it_is_open(void **state)
{
	static struct handle places[HANDLES_MAX];
	static struct handle_table table = {.handles = places, .most = HANDLES_MAX};
	struct file_stat stat;
	struct inode *fifo;
	uint64_t first, second;

	(void)state;
	assert_int_equal(tree_make_fifo(&tree, tree.top, "f", 1, 0600), STATUS_OK);
	fifo = at("/f");
	for (int round = 0; round < 2; round++) {
		assert_int_equal(fifo->data.size, 0);
		assert_int_equal(tree_open_fifo(&tree, fifo), STATUS_OK);
		assert_int_equal(handle_open(&table, fifo, NULL, 3, 0, &first), STATUS_OK);
		assert_int_equal(tree_open_fifo(&tree, fifo), STATUS_OK);
		assert_int_equal(handle_open(&table, fifo, NULL, 3, 0, &second), STATUS_OK);
		handle_close(&table, &tree, first);
		assert_int_equal(fifo->data.size, FIFO_BYTES);
		inode_stat(fifo, &stat);
		assert_int_equal(stat.type, FILE_TYPE_FIFO);
		assert_int_equal(stat.size, 0);
		handle_close(&table, &tree, second);
	}
	assert_int_equal(remove_path("/f", false), STATUS_OK);
}

static void test_a_queue_keeps_its_size_and_its_name(void **state)
{
	static struct handle places[HANDLES_MAX];
	static struct handle_table table = {.handles = places, .most = HANDLES_MAX};
	struct file_stat stat;
	struct inode *queue;
	uint64_t handle;

	(void)state;
	assert_int_equal(tree_make_queue(&tree, tree.top, "q", 1, 0600, 0, "", 0),
	                 STATUS_INVALID_ARGUMENT);
	assert_int_equal(tree_make_queue(&tree, tree.top, "q", 1, 0600, QUEUE_BYTES_MAX + 1, "", 0),
	                 STATUS_INVALID_ARGUMENT);
	assert_int_equal(tree_make_queue(&tree, tree.top, "q", 1, 0600, 3, "head", 4),
	                 STATUS_INVALID_ARGUMENT);
	assert_int_equal(tree_make_queue(&tree, tree.top, "q", 1, 0600, 9000, "head", 4),
	                 STATUS_OK);
	queue = at("/q");
	assert_true(inode_is_shared(queue));
	assert_int_equal(handle_open(&table, queue, NULL, 3, 0, &handle), STATUS_OK);
	assert_int_equal(tree_open_fifo(&tree, queue), STATUS_OK);
	inode_stat(queue, &stat);
	assert_int_equal(stat.type, FILE_TYPE_QUEUE);
	assert_int_equal(stat.size, 9000);
	assert_int_equal(tree_link(&tree, queue, tree.top, "other", 5), STATUS_NOT_PERMITTED);
	handle_close(&table, &tree, handle);
	inode_stat(queue, &stat);
	assert_int_equal(stat.size, 9000);
	assert_int_equal(remove_path("/q", false), STATUS_OK);
}

static void test_each_client_pays_for_what_it_makes(void **state)
{
	static struct test_pages other_pages = {.limit = 100};
	struct page_source other_source = test_source(&other_pages);
	struct slab other;
	char text[3 * PAGE_SIZE] = {1};
	uint32_t written;
	size_t before = pages.out;

	(void)state;
	slab_init(&other, &other_source);
	tree.slab = &other;
	make_file("/tmp-of-other");
	assert_int_equal(
	        tree_write(&tree, at("/tmp-of-other"), false, 0, text, sizeof(text), &written),
	        STATUS_OK);
	assert_int_equal(pages.out, before);
	assert_true(other_pages.out > 3);
	tree.slab = &slab;
	assert_int_equal(remove_path("/tmp-of-other", false), STATUS_OK);
	assert_int_equal(other_pages.out, 0);
	assert_int_equal(pages.out, before);
}

/* ---- Archives ---- */

static _Alignas(4096) uint8_t image[16 * PAGE_SIZE];
static uint32_t image_count;
static uint64_t image_end;

static struct capos_archive_entry *entry_of(uint32_t i)
{
	return (struct capos_archive_entry *)(image + sizeof(struct capos_archive_header)) + i;
}

static void image_add(const char *name, uint32_t type, uint32_t mode, const char *data)
{
	struct capos_archive_entry *entry = entry_of(image_count++);
	size_t size = strlen(data);

	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->type = type;
	entry->mode = mode;
	entry->mtime = 1234;
	entry->size = size;
	entry->offset = size ? image_end : 0;
	entry->crc = archive_crc32(0, data, size);
	memcpy(image + image_end, data, size);
	if (size)
		image_end += PAGE_SIZE;
}

static void image_seal(void)
{
	struct capos_archive_header *header = (void *)image;

	header->magic = CAPOS_ARCHIVE_MAGIC;
	header->version = CAPOS_ARCHIVE_VERSION;
	header->count = image_count;
	header->total_size = image_end;
	header->checksum =
	        archive_crc32(0, entry_of(0), image_count * sizeof(struct capos_archive_entry));
}

static void image_sample(void)
{
	memset(image, 0, sizeof(image));
	image_count = 0;
	image_end = PAGE_SIZE;
	image_add("bin/busybox", CAPOS_ARCHIVE_FILE, 04755, "program");
	image_add("bin", CAPOS_ARCHIVE_DIRECTORY, 0711, "");
	image_add("bin/sh", CAPOS_ARCHIVE_SYMLINK, 0777, "busybox");
	image_add("tmp", CAPOS_ARCHIVE_DIRECTORY, 0700, "");
	image_add("etc/empty", CAPOS_ARCHIVE_FILE, 0600, "");
	image_seal();
}

static void test_load(void **state)
{
	struct archive archive;
	const char *culprit, *why;
	struct file_stat stat;
	bool more;

	(void)state;
	assert_int_equal(archive_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(archive_crc32(archive_crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
	image_sample();
	assert_int_equal(archive_open(&archive, image, sizeof(image), &why), CAP_OK);
	assert_int_equal(load_archive(&tree, &archive, &culprit), STATUS_OK);
	assert_int_equal(load_usual(&tree), STATUS_OK);
	inode_stat(at("/bin/sh"), &stat);
	assert_int_equal(stat.size, 7);
	assert_int_equal(stat.mode, 04755);
	assert_int_equal(stat.modify_ns, 1234ll * 1000000000);
	assert_int_equal(at("/bin")->mode, 0711);
	assert_int_equal(at("/tmp")->mode, 0700);
	assert_int_equal(at("/etc/empty")->data.size, 0);
	assert_int_equal(at("/dev")->type, FILE_TYPE_DIRECTORY);
	assert_int_equal(at("/dev/null")->device, 0x103);
	assert_int_equal(tree_check(at("/bin/busybox"), &more), STATUS_OK);
	assert_false(more);
	/* The same once more: names are taken. */
	assert_int_equal(load_archive(&tree, &archive, &culprit), STATUS_EXISTS);
	assert_string_equal(culprit, "bin/busybox");
}

static void test_load_bad_contents(void **state)
{
	struct archive archive;
	const char *culprit;
	bool more;

	(void)state;
	image_sample();
	image[PAGE_SIZE] ^= 1;
	image_add("bin/sh/x", CAPOS_ARCHIVE_FILE, 0, "");
	image_seal();
	assert_int_equal(archive_open(&archive, image, sizeof(image), NULL), CAP_OK);
	assert_int_equal(load_archive(&tree, &archive, &culprit), STATUS_NOT_DIRECTORY);
	assert_string_equal(culprit, "bin/sh/x");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tree_check(at("/bin/busybox"), &more), STATUS_IO_ERROR);
		assert_false(more);
	}
}

/* A large file is compared in pieces; what is wrong behind the first is found. */
static void test_large_files_are_checked_in_pieces(void **state)
{
	static uint8_t bytes[5 << 15];
	bool more = true;
	int pieces = 0, status = STATUS_OK;

	(void)state;
	make_file("/large");
	data_init(&at("/large")->data, bytes, sizeof(bytes),
	          archive_crc32(0, bytes, sizeof(bytes)));
	while (more && !status && ++pieces)
		status = tree_check(at("/large"), &more);
	assert_int_equal(status, STATUS_OK);
	assert_int_equal(pieces, 3);
	data_init(&at("/large")->data, bytes, sizeof(bytes),
	          archive_crc32(0, bytes, sizeof(bytes)));
	bytes[sizeof(bytes) - 1] = 1;
	for (more = true; more && !status;)
		status = tree_check(at("/large"), &more);
	assert_int_equal(status, STATUS_IO_ERROR);
}

static int reopen(void)
{
	struct archive archive;
	const char *why = NULL;
	int result = archive_open(&archive, image, sizeof(image), &why);

	assert_true(result == CAP_OK ? why == NULL : why != NULL);
	return result;
}

static void test_archive_refused(void **state)
{
	struct capos_archive_header *header = (void *)image;
	static const char *const bad_names[] = {"", "/a", "a/", "a//b", ".", "..", "a/../b", "a/."};

	(void)state;
	for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
		image_sample();
		snprintf(entry_of(1)->name, CAPOS_ARCHIVE_NAME, "%s", bad_names[i]);
		image_seal();
		assert_int_equal(reopen(), CAP_EMESSAGE);
	}
	image_sample();
	memset(entry_of(0)->name, 'x', CAPOS_ARCHIVE_NAME);
	image_seal();
	assert_int_equal(reopen(), CAP_EMESSAGE);
	static const struct {
		uint64_t offset, size;
	} bad_data[] = {{1, 4},
	                {0, 4},
	                {PAGE_SIZE, ~0ull},
	                {16 * PAGE_SIZE, 1},
	                {~0xfffull, 4096},
	                {PAGE_SIZE, 16 * PAGE_SIZE}};
	for (size_t i = 0; i < sizeof(bad_data) / sizeof(bad_data[0]); i++) {
		image_sample();
		entry_of(0)->offset = bad_data[i].offset;
		entry_of(0)->size = bad_data[i].size;
		image_seal();
		assert_int_equal(reopen(), CAP_EMESSAGE);
	}
	image_sample();
	assert_int_equal(reopen(), CAP_OK);
	entry_of(0)->mode ^= 1; /* the table's checksum */
	assert_int_equal(reopen(), CAP_EMESSAGE);
	image_sample();
	header->count = UINT32_MAX;
	assert_int_equal(reopen(), CAP_EMESSAGE);
	image_sample();
	header->count = 1000;
	assert_int_equal(reopen(), CAP_EMESSAGE);
	image_sample();
	header->total_size = sizeof(image) + PAGE_SIZE;
	assert_int_equal(reopen(), CAP_EMESSAGE);
	struct archive archive;
	for (uint64_t size = 0; size < image_end; size += 37)
		assert_int_equal(archive_open(&archive, image, size, NULL), CAP_EMESSAGE);
	/* Any single bit of header or table but those that nothing depends on. */
	image_sample();
	for (uint32_t bit = 0; bit < 8 * 256 * image_count; bit++) {
		uint8_t *byte = (uint8_t *)entry_of(0) + bit / 8;
		*byte ^= 1 << bit % 8;
		assert_int_equal(reopen(), CAP_EMESSAGE);
		*byte ^= 1 << bit % 8;
	}
}

#define DEPTH 20000
#define TRIES 50

/* A path may have as many ".." as fit, far below the root of the Directory that it is looked up
 * by. */
static void test_a_deep_tree_costs_its_depth_once(void **state)
{
	static char up[TREE_PATH_MAX];
	struct path_from from = top();
	struct place place;
	clock_t begun;

	(void)state;
	assert_int_equal(make_directory("/a"), STATUS_OK);
	from.root = from.start = at("/a");
	for (int i = 0; i < DEPTH; i++) {
		assert_int_equal(tree_make_directory(&tree, from.start, "d", 1, 0755, NULL),
		                 STATUS_OK);
		assert_int_equal(resolve_from(from, "d", true, &place), STATUS_OK);
		from.start = place.inode;
	}
	for (size_t i = 0; i + 3 <= sizeof(up); i += 3)
		memcpy(up + i, "../", 3);
	begun = clock();
	for (int i = 0; i < TRIES; i++)
		assert_int_equal(
		        path_resolve(&tree, from, up, TREE_PATH_MAX - 3, true, &buffer, &place),
		        STATUS_OK);
	assert_true(clock() - begun < CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_symlinks, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_root_is_not_left, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_deep_tree_costs_its_depth_once, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_links, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_exchange_loses_a_name_or_a_link, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_changes_are_counted, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_rename, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_listing_survives_changes, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_handles, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_fifo_has_memory_while_it_is_open, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_a_queue_keeps_its_size_and_its_name, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_a_device_is_a_name_with_a_number_and_an_owner,
	                                        setup, teardown),
	        cmocka_unit_test_setup_teardown(test_each_client_pays_for_what_it_makes, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_load, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_load_bad_contents, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_large_files_are_checked_in_pieces, setup,
	                                        teardown),
	        cmocka_unit_test(test_archive_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

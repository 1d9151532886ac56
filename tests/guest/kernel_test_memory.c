/* SPDX-License-Identifier: MIT */
/*
 * Memory objects and mappings: copy-on-write, slices, resizing, protection, and what a fault does.
 */
#include <string.h>

#include <capos/object.h>

#include "kernel_test.h"

#define PAGE (uint64_t) CAPOS_PAGE_SIZE
#define RW   (CAP_RIGHT_READ | CAP_RIGHT_WRITE)

static int map_at(cap_t memory, uint32_t access, bool private, uint64_t address)
{
	return cap_memory_map_at(memory, 0, PAGE, access, private, address);
}

static int protect(void *address, uint64_t size, uint32_t access)
{
	struct process_protect_params params = {
	        .address = (uint64_t)address, .size = size, .access = access};
	return process_protect(CAP_SELF, &params, NULL);
}

/* Whether the kernel would read (or write) there for us, found out by an operation that does. */
static bool reachable(void *address, bool write)
{
	uint64_t buffer[16];
	struct capos_sqe sqe = {.op = CAP_OP_CALL,
	                        .cap = BOOT,
	                        .interface = MEMORY_OBJECT_INTERFACE,
	                        .method = MEMORY_OBJECT_SIZE,
	                        .send_addr = (uint64_t)address,
	                        .send_len = 8,
	                        .recv_addr = (uint64_t)buffer,
	                        .recv_len = sizeof(buffer)};
	if (write)
		sqe = (struct capos_sqe){.op = CAP_OP_LOAD,
		                         .cap = BOOT,
		                         .recv_addr = (uint64_t)address,
		                         .recv_len = 128};
	return run(&sqe, NULL) != CAP_EFAULT;
}

/* A call whose reply has no room fails before it has done anything: the address is still free. */
static void test_replies_without_room(void)
{
	cap_t memory;
	uint8_t *a;
	uint64_t message[16];
	struct msg_builder b;
	cap_memory_create(PAGE, &memory);
	cap_memory_map(memory, 0, PAGE, RW, (void **)&a);
	cap_memory_unmap(a, PAGE);
	const struct {
		uint64_t address;
		uint32_t length;
		int result;
	} replies[] = {
	        {(uint64_t)message, 8, CAP_ETOOBIG},
	        {(uint64_t)a, 64, CAP_EFAULT}, /* not mapped any more */
	        {0xffff800000000000ull, 64, CAP_EFAULT},
	};
	struct process_map_params params = {
	        .size = PAGE, .address = (uint64_t)a, .access = CAP_RIGHT_READ};
	struct capos_send_cap send = {memory, CAP_RIGHTS_ALL, 0};
	for (unsigned i = 0; i < 3; i++) {
		msg_builder_init(&b, message, sizeof(message));
		process_map_params_write(&b, &params);
		struct capos_sqe sqe = {.op = CAP_OP_CALL,
		                        .cap = CAP_SELF,
		                        .interface = PROCESS_INTERFACE,
		                        .method = PROCESS_MAP,
		                        .send_addr = (uint64_t)message,
		                        .send_len = msg_builder_length(&b),
		                        .send_caps = (uint64_t)&send,
		                        .send_ncaps = 1,
		                        .recv_addr = replies[i].address,
		                        .recv_len = replies[i].length};
		tap_equal(run(&sqe, NULL), replies[i].result, "a reply without room");
	}
	tap_equal(cap_memory_map_at(memory, 0, PAGE, RW, false, (uint64_t)a), CAP_OK,
	          "nothing was mapped by the calls that failed");
	cap_memory_unmap(a, PAGE);
	cap_release(memory);
}

static void test_mappings(void)
{
	cap_t memory;
	uint8_t *a, *b;
	tap_equal(cap_memory_create(3 * PAGE, &memory), CAP_OK, "a memory object is made");
	cap_memory_map(memory, 0, 3 * PAGE, RW, (void **)&a);
	cap_memory_map(memory, PAGE, PAGE, CAP_RIGHT_READ, (void **)&b);
	tap_ok(a[0] == 0 && a[3 * PAGE - 1] == 0, "its pages are zero");
	a[PAGE] = 42;
	tap_equal(b[0], 42, "two mappings show the same pages");
	tap_ok(!reachable(b, true), "a read-only mapping is not written by the kernel either");
	tap_equal(map_at(memory, RW, false, (uint64_t)a), CAP_EEXIST,
	          "a range that is taken is refused");
	tap_equal(map_at(memory, CAP_RIGHT_WRITE | CAP_RIGHT_EXEC, false, 0), CAP_EINVAL,
	          "writable and executable is refused");
	tap_equal(map_at(memory, RW, false, 0xffff800000000000ull), CAP_EINVAL,
	          "a kernel address is refused");
	tap_equal(map_at(memory, RW, false, (uint64_t)cap_ring()), CAP_EEXIST,
	          "the ring is not mapped over");
	tap_ok(cap_memory_unmap(cap_ring(), sizeof(struct capos_ring)) != CAP_OK, "nor unmapped");
	cap_memory_unmap(a + PAGE, PAGE);
	tap_ok(!reachable(a + PAGE, false) && reachable(a, true) && reachable(a + 2 * PAGE, true),
	       "the middle of a mapping is taken out");
	tap_equal(protect(a, 3 * PAGE, CAP_RIGHT_READ), CAP_EFAULT,
	          "a range with a hole is not protected");
	tap_equal(protect(a, PAGE, CAP_RIGHT_READ), CAP_OK, "a page is made read-only");
	tap_ok(!reachable(a, true) && reachable(a, false), "and is");
	cap_memory_unmap(a, 3 * PAGE);
	tap_equal(b[0], 42, "the other mapping stays");
	cap_memory_unmap(b, PAGE);
	cap_release(memory);
}

static int map_zeroes(uint64_t size, uint32_t access, uint64_t address)
{
	return cap_memory_map_zeroes(size, access, &address);
}

static void test_zeroes(void)
{
	uint64_t at = 0, other = 0;
	uint8_t *a;

	tap_equal(cap_memory_map_zeroes(PAGE + 1, RW, &at), CAP_OK, "zeroes are mapped");
	a = (uint8_t *)at;
	tap_ok(a[0] == 0 && a[2 * PAGE - 1] == 0 && reachable(a + PAGE, true),
	       "in whole pages, to be written");
	tap_equal(map_zeroes(PAGE, RW, at), CAP_EEXIST, "not where something is");
	tap_equal(map_zeroes(PAGE, RW, at + 1), CAP_EINVAL, "nor between pages");
	tap_equal(map_zeroes(PAGE, RW, 0xffff800000000000ull), CAP_EINVAL, "nor in the kernel");
	tap_equal(map_zeroes(0, RW, 0), CAP_EINVAL, "not none");
	tap_equal(map_zeroes(UINT64_MAX, RW, 0), CAP_EINVAL, "nor more than there is");
	tap_equal(map_zeroes(PAGE, CAP_RIGHT_WRITE | CAP_RIGHT_EXEC, 0), CAP_EINVAL,
	          "not as data and code");
	tap_equal(map_zeroes(PAGE, CAP_RIGHT_READ | CAP_RIGHT_EXEC, 0), CAP_ERIGHTS, "nor as code");
	tap_equal(protect(a, 2 * PAGE, CAP_RIGHT_READ | CAP_RIGHT_EXEC), CAP_ERIGHTS,
	          "which they never become");
	cap_memory_unmap(a, PAGE);
	tap_equal(cap_memory_map_zeroes(PAGE, 0, &at), CAP_OK, "a place may be asked for");
	tap_ok(at == (uint64_t)a && !reachable(a, false), "and access may be none");
	tap_ok(cap_memory_map_zeroes(1ull << 40, RW, &other) == CAP_OK && *(uint8_t *)other == 0,
	       "they take no memory until they are touched");
	cap_memory_unmap((void *)other, 1ull << 40);
	cap_memory_unmap(a, 2 * PAGE);
}

static void test_copies(void)
{
	cap_t memory, slice = CAP_NULL, weak;
	uint8_t *a, *b, *c;
	uint64_t buffer[16];
	cap_memory_create(2 * PAGE, &memory);
	cap_memory_map(memory, 0, 2 * PAGE, RW, (void **)&a);
	memset(a, 1, 2 * PAGE);
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct memory_object_slice_params params = {.offset = PAGE, .size = 2 * PAGE};
	tap_equal(memory_object_slice(memory, &params, NULL, &call), CAP_OK, "a slice is made");
	slice = call.caps[0];
	cap_memory_map(slice, 0, 2 * PAGE, RW, (void **)&b);
	tap_ok(b[0] == 1 && b[PAGE] == 0, "it shows the bytes, and zeroes past the end");
	a[PAGE] = 2;
	b[1] = 3;
	tap_ok(b[0] == 1 && a[PAGE + 1] == 1, "neither side sees what the other wrote since");
	cap_copy(memory, CAP_RIGHT_READ | CAP_RIGHT_COPY | CAP_RIGHT_CALL, &weak);
	tap_equal(map_at(weak, RW, false, 0), CAP_ERIGHTS,
	          "a shared writable mapping needs the right");
	tap_equal(cap_memory_map_at(weak, 0, PAGE, RW, true, 0x10000000), CAP_OK,
	          "a private one does not");
	c = (uint8_t *)0x10000000;
	c[0] = 9;
	tap_ok(a[0] == 1 && c[0] == 9 && c[1] == 1, "and its stores are its own");
	cap_memory_unmap(c, PAGE);
	cap_memory_unmap(a, 2 * PAGE);
	cap_memory_unmap(b, 2 * PAGE);
	cap_release(weak);
	cap_release(slice);
	cap_release(memory);
}

static void test_resize(void)
{
	cap_t memory;
	uint8_t *a;
	cap_memory_create(2 * PAGE, &memory);
	cap_memory_map(memory, 0, 4 * PAGE, RW, (void **)&a);
	a[PAGE] = 1;
	tap_ok(!reachable(a + 2 * PAGE, false), "there is nothing past the object's end");
	struct memory_object_resize_params params = {.size = PAGE};
	tap_equal(memory_object_resize(memory, &params, NULL), CAP_OK, "an object shrinks");
	tap_ok(!reachable(a + PAGE, false), "its pages leave the mappings");
	params.size = 4 * PAGE;
	tap_equal(memory_object_resize(memory, &params, NULL), CAP_OK, "and grows");
	tap_ok(a[PAGE] == 0 && a[3 * PAGE] == 0, "with zeroes");
	tap_ok(memory_object_resize(BOOT, &params, NULL) == CAP_ERIGHTS, "the archive does not");
	cap_t shared; /* as servers give their clients */
	cap_copy(memory, RW | CAP_RIGHT_CALL | CAP_RIGHT_COPY, &shared);
	params.size = 1;
	tap_equal(memory_object_resize(shared, &params, NULL), CAP_ERIGHTS,
	          "who may only write to it cannot take its pages away");
	cap_release(shared);
	cap_memory_unmap(a, 4 * PAGE);
	cap_release(memory);
}

/* LOAD and STORE, which have no message. */
static void test_bytes(void)
{
	struct cap_copied copied;
	char text[8] = "";
	cap_t memory, readable, endpoint, object;
	cap_memory_create(PAGE, &memory);
	cap_copy(memory, CAP_RIGHT_READ, &readable);
	cap_endpoint_create(&endpoint);
	cap_mint(endpoint, 1, 1, &object);
	tap_ok(cap_memory_store(memory, object, false, PAGE - 3, "abcdef", 6, &copied) == CAP_OK &&
	               copied.length == 3 && copied.end == PAGE,
	       "a store ends at the object's size");
	tap_ok(cap_memory_load(readable, object, PAGE - 2, text, sizeof(text), &copied) == CAP_OK &&
	               copied.length == 2 && copied.end == PAGE && !memcmp(text, "bc", 3),
	       "so does a load, which says the size");
	tap_ok(cap_memory_load(readable, CAP_NULL, UINT64_MAX, text, 1, &copied) == CAP_EINVAL &&
	               cap_memory_store(memory, CAP_NULL, false, UINT64_MAX, text, 1, &copied) ==
	                       CAP_EINVAL,
	       "an offset that no object has is refused");
	tap_ok(cap_memory_store(memory, CAP_NULL, true, 0, "x", 1, &copied) == CAP_OK &&
	               copied.length == 0 && copied.end == PAGE,
	       "nothing is appended above the limit");
	tap_equal(cap_memory_store(readable, CAP_NULL, false, 0, "x", 1, &copied), CAP_ERIGHTS,
	          "who may read an object cannot store to it");
	tap_equal(cap_memory_load(object, CAP_NULL, 0, text, 1, &copied), CAP_ETYPE,
	          "nor load from what has no bytes");
	tap_equal(cap_memory_store(memory, CAP_NULL, false, 0, (void *)PAGE, 1, &copied),
	          CAP_EFAULT, "what cannot be read is not stored");
	tap_equal(cap_memory_load(memory, 12345, 0, text, 1, &copied), CAP_EBADCAP,
	          "a witness that is no capability is refused");
	struct capos_sqe sqe = {.op = CAP_OP_LOAD, .flags = CAPOS_SQE_APPEND, .cap = memory};
	tap_equal(run(&sqe, NULL), CAP_EINVAL,
	          "a flag that the operation does not have is refused");
	sqe = (struct capos_sqe){.op = CAP_OP_NOP, .witness = object};
	tap_equal(run(&sqe, NULL), CAP_EINVAL, "so is a witness of another operation");
	cap_release(endpoint);
	tap_ok(cap_memory_load(memory, object, 0, text, 1, &copied) == CAP_EGONE &&
	               cap_memory_store(memory, object, false, 0, text, 1, &copied) == CAP_EGONE,
	       "without its witness an object is not read or written");
	cap_release(object);
	cap_release(readable);
	cap_release(memory);
}

/* What is to be stored lies in a mapping of the object behind its end, where the store itself makes
 * a page that is taken back when the rest cannot be read. */
static void test_store_of_itself(void)
{
	struct memory_object_set_limit_params limit = {.size = 2 * PAGE};
	struct memory_object_size_results size = {};
	struct cap_copied copied;
	cap_t memory;
	uint8_t *a;
	cap_memory_create(PAGE, &memory);
	memory_object_set_limit(memory, &limit, NULL);
	cap_memory_map(memory, 0, 3 * PAGE, RW, (void **)&a);
	cap_memory_unmap(a + 2 * PAGE, PAGE);
	tap_equal(cap_memory_store(memory, CAP_NULL, false, PAGE, a + PAGE + 1, PAGE, &copied),
	          CAP_EFAULT, "a store that fails in the page that it makes");
	tap_ok(memory_object_size(memory, &size, NULL) == CAP_OK && size.size == PAGE &&
	               !reachable(a + PAGE, false),
	       "leaves no page behind the end");
	cap_memory_unmap(a, 2 * PAGE);
	cap_release(memory);
}

/* What could not be read of a large append is taken back in pieces when a mapping may show it. */
static void test_large_append(void)
{
	const uint64_t size = 256ull << 20;
	struct account_create_sparse_params sparse = {.size = PAGE};
	struct memory_object_set_limit_params limit = {.size = 2 * size};
	struct memory_object_size_results now = {};
	struct cap_copied copied;
	uint64_t buffer[16];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	cap_t account, memory, source;
	uint8_t *a, *from;
	cap_account(&account);
	tap_equal(account_create_sparse(account, &sparse, NULL, &call), CAP_OK,
	          "a sparse object is made");
	memory = call.caps[0];
	memory_object_set_limit(memory, &limit, NULL);
	cap_memory_map(memory, 0, size, CAP_RIGHT_READ, (void **)&a);
	cap_memory_create(2 * PAGE, &source);
	cap_memory_map(source, 0, 2 * PAGE, RW, (void **)&from);
	cap_memory_unmap(from + PAGE, PAGE);
	tap_ok(cap_memory_store(memory, CAP_NULL, true, 0, from, size, &copied) == CAP_OK &&
	               copied.length == PAGE && copied.end == 2 * PAGE,
	       "an append ends where there is nothing more to read");
	tap_ok(memory_object_size(memory, &now, NULL) == CAP_OK && now.size == 2 * PAGE,
	       "and so does the object");
	cap_memory_unmap(from, PAGE);
	cap_memory_unmap(a, size);
	cap_release(source);
	cap_release(memory);
	cap_release(account);
}

/* ---- A range that moves while another thread uses it ---- */

#define LARGE_PAGE (2ull << 20)
#define MOVED      (512 * LARGE_PAGE) /* takes longer than a thread may run */
#define MOVES      12u

static struct {
	uint8_t *range;
	uint32_t stop;
} moving;

static int wake(void *word)
{
	struct capos_sqe sqe = {.op = CAP_OP_FUTEX_WAKE, .send_addr = (uint64_t)word, .arg = 1};
	return run(&sqe, NULL);
}

static void protects(uint64_t unused)
{
	(void)unused;
	while (!__atomic_load_n(&moving.stop, __ATOMIC_ACQUIRE)) {
		uint8_t *range = __atomic_load_n(&moving.range, __ATOMIC_ACQUIRE);
		if (range && protect(range, PAGE, RW) == CAP_OK)
			wake(range);
	}
	__atomic_store_n(&moving.stop, 2, __ATOMIC_RELEASE);
	end_thread();
}

static void test_moves_under_use(void)
{
	unsigned left = 0;
	cap_t memory;
	cap_memory_create(MOVED, &memory);
	start_thread(protects, 0);
	for (unsigned i = 0; i < MOVES; i++) {
		uint64_t to = 0;
		uint8_t *a;
		cap_memory_map(memory, 0, MOVED, RW, (void **)&a);
		for (uint64_t at = 0; at < MOVED; at += LARGE_PAGE)
			(void)*(volatile uint8_t *)(a + at);
		__atomic_store_n(&moving.range, a, __ATOMIC_RELEASE);
		tap_equal(cap_memory_remap((uint64_t)a, MOVED, MOVED, &to), CAP_OK,
		          "a range moves while another thread protects and uses it");
		__atomic_store_n(&moving.range, NULL, __ATOMIC_RELEASE);
		left += wake(a) != CAP_EFAULT;
		cap_memory_unmap((void *)to, MOVED);
	}
	tap_equal(left, 0, "and nothing is left where it was");
	__atomic_store_n(&moving.stop, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&moving.stop, __ATOMIC_ACQUIRE) != 2)
		cap_enter(0, 0);
	moving.stop = 0;
	cap_release(memory);
}

static void test_shown_size(void)
{
	struct memory_object_resize_params larger = {.size = 5 * PAGE + 1};
	struct memory_object_resize_params smaller = {.size = 3};
	cap_t memory, shown, again, client;
	const uint64_t *size;
	void *page;
	cap_memory_create(PAGE, &memory);
	tap_ok(cap_memory_show_size(memory, &shown) == CAP_OK &&
	               cap_memory_map(shown, 0, PAGE, CAP_RIGHT_READ, (void **)&size) == CAP_OK &&
	               *size == PAGE,
	       "an object shows its size");
	tap_ok(memory_object_resize(memory, &larger, NULL) == CAP_OK && *size == 5 * PAGE + 1 &&
	               memory_object_resize(memory, &smaller, NULL) == CAP_OK && *size == 3,
	       "as it is at any time");
	tap_ok(cap_memory_show_size(memory, &again) == CAP_OK &&
	               cap_memory_map(again, 0, PAGE, RW, &page) == CAP_ERIGHTS &&
	               memory_object_resize(again, &larger, NULL) == CAP_ERIGHTS,
	       "which only the kernel writes");
	tap_ok(memory_object_resize(memory, &larger, NULL) == CAP_OK && *size == 5 * PAGE + 1,
	       "for as many as asked");
	struct memory_object_mark_params mark = {.marked = true};
	struct cap_copied copied;
	tap_ok(size[1] == 0 && memory_object_mark(memory, &mark, NULL) == CAP_OK && size[1] != 0 &&
	               cap_memory_store(memory, CAP_NULL, false, 0, "x", 1, &copied) == CAP_OK &&
	               copied.marked &&
	               cap_memory_load(memory, CAP_NULL, 0, &mark, 0, &copied) == CAP_OK &&
	               copied.marked,
	       "who stores, loads or has the page mapped sees that the object is marked");
	cap_copy(memory, RW | CAP_RIGHT_CALL, &client);
	tap_equal(memory_object_mark(client, &mark, NULL), CAP_ERIGHTS,
	          "which only its owner marks");
	cap_release(client);
	cap_release(memory);
	tap_ok(*size == 5 * PAGE + 1, "the page outlasts the object for who has mapped it");
	tap_equal(cap_memory_show_size(BOOT, &memory), CAP_ETYPE,
	          "what cannot be resized has none");
	cap_memory_unmap((void *)size, PAGE);
	cap_release(shown);
	cap_release(again);
}

/* What is all there from the beginning is mapped as often as programs like, whatever one of them
 * does with it. */
static void test_mapped_by_all(void)
{
	enum { MAPPINGS = 1500 };
	uint8_t *const at = (uint8_t *)0x10000000; /* always there, for the page tables' sake */
	cap_t memory;
	unsigned n = 0;
	uint8_t *own;
	tap_equal(cap_memory_create_committed(PAGE, &memory), CAP_OK, "a page is shown");
	tap_equal(cap_memory_map_private(memory, 0, PAGE, RW, (void **)&own), CAP_OK,
	          "one program has a copy of it");
	while (n < MAPPINGS && map_at(memory, RW, false, (uint64_t)at + n * PAGE) == CAP_OK)
		n++;
	tap_equal(n, MAPPINGS, "and others map it");
	*(volatile uint8_t *)at = 7;
	tap_ok(n == MAPPINGS && ((volatile uint8_t *)at)[(n - 1) * PAGE] == 7 && own[0] == 0,
	       "all see what is stored to it, but for the copy");
	cap_memory_unmap(own, PAGE);
	cap_memory_unmap(at, MAPPINGS * PAGE);
	cap_release(memory);
}

static void test_limits(void)
{
	cap_t memory;
	void *a;
	tap_equal(cap_memory_create(UINT64_MAX, &memory), CAP_EINVAL,
	          "an object larger than the address space is refused");
	tap_equal(cap_memory_create(1ull << 40, &memory), CAP_OK,
	          "one larger than the memory may be made");
	tap_equal(cap_memory_map(memory, 0, 1ull << 40, RW, &a), CAP_OK, "and mapped");
	((volatile uint8_t *)a)[1ull << 39] = 1;
	tap_ok(((volatile uint8_t *)a)[1ull << 39] == 1, "only what is touched takes memory");
	cap_memory_unmap(a, 1ull << 40);
	cap_release(memory);
}

void test_memory(void)
{
	test_mappings();
	test_zeroes();
	test_replies_without_room();
	test_copies();
	test_resize();
	test_bytes();
	test_store_of_itself();
	test_large_append();
	test_moves_under_use();
	test_shown_size();
	test_mapped_by_all();
	test_limits();
}

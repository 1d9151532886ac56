/* SPDX-License-Identifier: MIT */
/*
 * Hostile threads: several, each with a ring, submit operations at random on capabilities, words
 * and a range of memory that all of them share, with messages that change while they are read, and
 * fork.  How it ends is of no interest: the kernel must stand, and hold nothing when it has ended.
 *
 * kernel_fuzz SEED.  Holds: the log, a timer, an account, code, a code maker, the spawner.
 */
#include <capos/cap.h>
#include <capos/schema/kernel.h>
#include <capos/schema/kernel_client.h>

#define ENTRIES     6000u /* of each thread */
#define THREADS     4u
#define GIVEN       6u
#define POOL        48u
#define SLOTS       48u /* values of user_data */
#define FORKS       6u  /* of one process */
#define FIRST       0x100000000ull
#define PAGES       96u
#define PAGE        (uint64_t) CAPOS_PAGE_SIZE
#define INTERFACE   0x600dull
#define ROUNDS      4u /* a name may be used more than once */
#define STACK       16384u
#define WORDS       32u /* of a message */
#define PATIENCE_NS 10000000000ull

/* What all threads use. */
static struct entry {
	cap_t cap;
	uint64_t interface; /* 0: not known */
} pool[POOL];
static uint64_t calls[8]; /* ids of calls that were received */
static uint32_t nthreads, nforks, over, generation;
static uint64_t give_up_ns;

static struct worker {
	uint64_t state;
	struct capos_ring *ring;
	struct capos_sqe sent[SLOTS];
	uint64_t message[SLOTS][WORDS];
	uint64_t reply[SLOTS][WORDS];
	cap_t caps[SLOTS][CAPOS_MESSAGE_CAPS_MAX];
	struct capos_send_cap send[SLOTS][3];
} workers[THREADS];
static _Alignas(4096) uint8_t stacks[THREADS][STACK], child_stack[STACK];

static uint64_t random64(struct worker *w)
{
	w->state ^= w->state << 13;
	w->state ^= w->state >> 7;
	w->state ^= w->state << 17;
	return w->state;
}

static uint32_t below(struct worker *w, uint32_t n)
{
	return (uint32_t)((random64(w) >> 32) * n >> 32);
}

static bool chance(struct worker *w, uint32_t n)
{
	return below(w, n) == 0;
}

/* ---- Values ---- */

static uint64_t any_page(struct worker *w)
{
	return FIRST + below(w, PAGES) * PAGE;
}

static uint64_t any_address(struct worker *w)
{
	static const uint64_t odd[] = {0,
	                               1,
	                               CAPOS_USER_MIN,
	                               CAPOS_USER_MAX - 1,
	                               CAPOS_CLOCK_ADDR,
	                               0xffff800000000000ull,
	                               0xffffffff80100000ull,
	                               UINT64_MAX - 7};

	if (chance(w, 12))
		return odd[below(w, sizeof(odd) / sizeof(odd[0]))];
	switch (below(w, 4)) {
	case 0:
		return any_page(w) + PAGE - 4; /* the next page may be no more */
	case 1:
		return any_page(w) + below(w, (uint32_t)PAGE);
	default:
		return any_page(w) + 4ull * below(w, 4);
	}
}

/* Bytes; of pages mostly, now and then so many that they take several pieces. */
static uint64_t any_size(struct worker *w)
{
	static const uint64_t odd[] = {0,          1,          PAGE - 1,       PAGE + 1,
	                               1ull << 21, 1ull << 30, CAPOS_USER_MAX, UINT64_MAX};

	return chance(w, 8) ? odd[below(w, 8)] : (1 + below(w, chance(w, 4) ? 64 : 6)) * PAGE;
}

static uint32_t any_access(struct worker *w)
{
	static const uint32_t usual[] = {CAP_RIGHT_READ, CAP_RIGHT_READ | CAP_RIGHT_WRITE,
	                                 CAP_RIGHT_READ | CAP_RIGHT_EXEC, 0};

	return chance(w, 20) ? (uint32_t)random64(w) : usual[chance(w, 4) ? below(w, 4) : 1];
}

static uint64_t any_word(struct worker *w)
{
	switch (below(w, 5)) {
	case 0:
		return any_page(w);
	case 1:
		return any_size(w);
	case 2:
		return random64(w);
	default:
		return below(w, 4);
	}
}

static struct entry any_entry(struct worker *w)
{
	if (chance(w, 30))
		return (struct entry){random64(w), INTERFACE};
	if (chance(w, 10))
		return (struct entry){CAP_GIVEN(below(w, GIVEN)), 0};
	return chance(w, 4) ? (struct entry){CAP_SELF, PROCESS_INTERFACE} : pool[below(w, POOL)];
}

static cap_t any_of(struct worker *w, uint64_t interface)
{
	for (unsigned i = 0; i < 20; i++) {
		struct entry e = any_entry(w);
		if (e.interface == interface)
			return e.cap;
	}
	return any_entry(w).cap;
}

/* ---- Messages ---- */

static uint16_t process_message(struct worker *w, struct msg_builder *b, unsigned slot)
{
	struct process_map_params map = {.offset = below(w, 8) * PAGE,
	                                 .size = any_size(w),
	                                 .address = chance(w, 6) ? 0 : any_page(w),
	                                 .access = any_access(w),
	                                 .private = chance(w, 3)};
	struct process_remap_params remap = {.address = any_page(w),
	                                     .size = any_size(w),
	                                     .new_address = chance(w, 4) ? 0 : any_page(w)};
	struct process_protect_params range = {
	        .address = any_page(w), .size = any_size(w), .access = any_access(w)};

	remap.new_size = chance(w, 3) ? any_size(w) : remap.size;
	w->send[slot][0].cap = any_of(w, MEMORY_OBJECT_INTERFACE);
	switch (below(w, 6)) {
	case 0:
	case 1:
		process_map_params_write(b, &map);
		return PROCESS_MAP;
	case 2:
	case 3:
		process_remap_params_write(b, &remap);
		return PROCESS_REMAP;
	case 4:
		process_unmap_params_write(
		        b, &(struct process_unmap_params){range.address, range.size});
		return chance(w, 2) ? PROCESS_UNMAP : PROCESS_DISCARD;
	default:
		process_protect_params_write(b, &range);
		return PROCESS_PROTECT;
	}
}

static uint16_t memory_message(struct worker *w, struct msg_builder *b)
{
	struct memory_object_slice_params range = {
	        .offset = chance(w, 3) ? any_size(w) : below(w, 6) * PAGE, .size = any_size(w)};

	switch (below(w, 4)) {
	case 0:
		memory_object_resize_params_write(
		        b, &(struct memory_object_resize_params){any_size(w)});
		return chance(w, 2) ? MEMORY_OBJECT_RESIZE : MEMORY_OBJECT_SET_LIMIT;
	case 1:
		memory_object_mark_params_write(b, &(struct memory_object_mark_params){true});
		return chance(w, 2) ? MEMORY_OBJECT_MARK : MEMORY_OBJECT_SHOW_SIZE;
	default:
		memory_object_slice_params_write(b, &range);
		return (const uint16_t[]){MEMORY_OBJECT_SLICE, MEMORY_OBJECT_PREPARE,
		                          MEMORY_OBJECT_DISCARD, MEMORY_OBJECT_STATUS}[below(w, 4)];
	}
}

/* Any words for any method of the interface. */
static uint16_t any_message(struct worker *w, struct msg_builder *b, uint16_t methods)
{
	struct msg_slot root;

	msg_write_root(b, 7, 1, &root);
	for (unsigned i = 0; i < 7; i++)
		msg_set_bits(&root, i * 64, 64, any_word(w));
	return (uint16_t)below(w, methods + 1u);
}

static uint16_t methods_of(uint64_t interface)
{
	static const struct {
		uint64_t interface;
		uint16_t methods;
	} known[] = {{PROCESS_INTERFACE, PROCESS_METHOD_COUNT},
	             {MEMORY_OBJECT_INTERFACE, MEMORY_OBJECT_METHOD_COUNT},
	             {ACCOUNT_INTERFACE, ACCOUNT_METHOD_COUNT},
	             {TIMER_INTERFACE, TIMER_METHOD_COUNT},
	             {EVENT_INTERFACE, EVENT_METHOD_COUNT},
	             {CODE_MAKER_INTERFACE, CODE_MAKER_METHOD_COUNT},
	             {PROCESS_SPAWNER_INTERFACE, PROCESS_SPAWNER_METHOD_COUNT}};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].interface == interface)
			return known[i].methods;
	return 2;
}

static uint64_t given_interface(cap_t cap)
{
	static const uint64_t given[GIVEN] = {LOG_INTERFACE,        TIMER_INTERFACE,
	                                      ACCOUNT_INTERFACE,    MEMORY_OBJECT_INTERFACE,
	                                      CODE_MAKER_INTERFACE, PROCESS_SPAWNER_INTERFACE};

	for (unsigned i = 0; i < GIVEN; i++)
		if (cap == CAP_GIVEN(i))
			return given[i];
	return 0;
}

/* What would end this thread, or run where nothing is, is rare; the log is slow. */
static bool spared(struct worker *w, const struct capos_sqe *s)
{
	if (s->interface == LOG_INTERFACE)
		return !chance(w, 500);
	if (s->interface == EVENT_INTERFACE)
		return !chance(w, 400);
	if (s->interface != PROCESS_INTERFACE)
		return false;
	switch (s->method) {
	case PROCESS_FORK:
		return true; /* fork_one has parameters for it */
	case PROCESS_KILL:
	case PROCESS_EXIT_THREAD:
	case PROCESS_END_THREADS:
	case PROCESS_CREATE_THREAD:
		return !chance(w, 300);
	default:
		return false;
	}
}

static void fill_call(struct worker *w, struct capos_sqe *s, unsigned slot)
{
	struct entry e = any_entry(w);
	struct msg_builder b;

	if (!e.interface)
		e.interface = given_interface(e.cap);
	s->cap = e.cap;
	s->interface = e.interface ? e.interface : INTERFACE;
	msg_builder_init(&b, w->message[slot], sizeof(w->message[slot]));
	if (s->interface == PROCESS_INTERFACE && !chance(w, 4))
		s->method = process_message(w, &b, slot);
	else if (s->interface == MEMORY_OBJECT_INTERFACE && !chance(w, 6))
		s->method = memory_message(w, &b);
	else
		s->method = any_message(w, &b, methods_of(s->interface));
	s->send_len = msg_builder_length(&b);
	/* Those that are sent must all be there. */
	if (!chance(w, 8))
		s->send_ncaps = s->interface != PROCESS_INTERFACE ? below(w, 2)
		                : s->method == PROCESS_MAP        ? 1
		                                                  : 0;
	if (spared(w, s))
		s->op = CAP_OP_NOP;
}

/* A new object for the pool. */
static void fill_make(struct worker *w, struct capos_sqe *s, unsigned slot)
{
	static const uint16_t makers[] = {PROCESS_CREATE_MEMORY, PROCESS_CREATE_MEMORY,
	                                  PROCESS_CREATE_EVENT, PROCESS_CREATE_ENDPOINT,
	                                  PROCESS_ACCOUNT};
	struct msg_builder b;

	s->op = CAP_OP_CALL;
	s->cap = CAP_SELF;
	s->interface = PROCESS_INTERFACE;
	s->method = makers[below(w, 5)];
	msg_builder_init(&b, w->message[slot], sizeof(w->message[slot]));
	process_create_memory_params_write(&b, &(struct process_create_memory_params){any_size(w)});
	s->send_len = msg_builder_length(&b);
	s->send_ncaps = 0;
}

/* ---- Operations ---- */

/* Without the capabilities that it began with nothing goes on. */
static bool kept(struct worker *w, cap_t cap)
{
	return CAP_GENERATION(cap) == 1 && !chance(w, 4000);
}

static void fill_send(struct worker *w, unsigned slot)
{
	for (unsigned i = 0; i < 3; i++) {
		cap_t cap = any_entry(w).cap;
		w->send[slot][i] = (struct capos_send_cap){
		        .cap = cap,
		        .rights = chance(w, 4) ? (uint32_t)random64(w) : CAP_RIGHTS_ALL,
		        .flags = !kept(w, cap) && chance(w, 6) ? below(w, 4) : 0};
	}
}

static void fill_copy(struct worker *w, struct capos_sqe *s)
{
	s->cap = any_of(w, MEMORY_OBJECT_INTERFACE);
	s->arg = chance(w, 3) ? any_size(w) : below(w, 40000);
	s->witness = chance(w, 4) ? any_entry(w).cap : CAP_NULL;
	s->flags |= s->op == CAP_OP_STORE && chance(w, 3) ? CAPOS_SQE_APPEND : 0;
	s->send_addr = s->recv_addr = any_address(w);
	s->send_len = s->recv_len = (uint32_t)any_size(w);
}

static void fill_futex(struct worker *w, struct capos_sqe *s)
{
	s->cap = CAP_NULL;
	s->send_addr = any_page(w) + 4ull * below(w, 2);
	s->recv_addr = any_page(w) + 4ull * below(w, 2);
	s->arg = below(w, 3);
	s->send_len = 0;
	s->recv_len = below(w, 3);
	s->flags |= s->op == CAP_OP_FUTEX_REQUEUE && chance(w, 2) ? CAPOS_SQE_COMPARE : 0;
}

static void fill(struct worker *w, struct capos_sqe *s, unsigned slot)
{
	fill_send(w, slot);
	*s = (struct capos_sqe){
	        .op = (uint8_t)(chance(w, 2) ? CAP_OP_CALL : below(w, CAP_OP_COUNT)),
	        .flags = (uint8_t)chance(w, 12),
	        .user_data = slot,
	        .cap = any_entry(w).cap,
	        .arg = below(w, SLOTS),
	        .interface = INTERFACE,
	        .send_addr = (uint64_t)w->message[slot],
	        .send_len = 64,
	        .send_caps = (uint64_t)w->send[slot],
	        .send_ncaps = below(w, 4),
	        .recv_addr = (uint64_t)w->reply[slot],
	        .recv_len = sizeof(w->reply[slot]),
	        .recv_caps = (uint64_t)w->caps[slot],
	        .recv_ncaps = CAPOS_MESSAGE_CAPS_MAX};
	if (s->op == CAP_OP_CALL)
		fill_call(w, s, slot);
	if (s->op == CAP_OP_CALL && chance(w, 4))
		s->flags |= CAPOS_SQE_UNHURRIED;
	if (chance(w, 12))
		fill_make(w, s, slot);
	if (s->op == CAP_OP_LOAD || s->op == CAP_OP_STORE)
		fill_copy(w, s);
	if (s->op == CAP_OP_FUTEX_WAIT || s->op == CAP_OP_FUTEX_WAKE ||
	    s->op == CAP_OP_FUTEX_REQUEUE)
		fill_futex(w, s);
	if (s->op == CAP_OP_RETURN)
		s->arg = calls[below(w, 8)];
	if (s->op == CAP_OP_COPY || s->op == CAP_OP_SIGNAL || s->op == CAP_OP_WAIT)
		s->arg = chance(w, 4) ? random64(w) : UINT64_MAX;
	if (s->op == CAP_OP_RELEASE && (kept(w, s->cap) || !chance(w, 4)))
		s->op = CAP_OP_NOP;
	if (chance(w, 10)) /* in the range that changes */
		s->send_addr = any_address(w);
	if (chance(w, 10))
		s->recv_addr = any_address(w);
	if (chance(w, 20))
		s->recv_caps = any_address(w);
	if (chance(w, 20))
		s->send_len = (uint32_t)any_size(w);
	if (chance(w, 20))
		s->recv_len = (uint32_t)any_size(w);
	if (chance(w, 60)) /* any field, but for its name */
		((uint64_t *)s)[2 + below(w, sizeof(*s) / 8 - 2)] = any_word(w);
}

/* ---- Completions ---- */

static uint64_t interface_of_result(const struct capos_sqe *s)
{
	if (s->op != CAP_OP_CALL)
		return s->op == CAP_OP_MINT ? INTERFACE : 0;
	if (s->interface == TIMER_INTERFACE)
		return TIMER_INTERFACE;
	if (s->interface == PROCESS_SPAWNER_INTERFACE)
		return s->method == PROCESS_SPAWNER_SPAWN ? PROCESS_INTERFACE : ACCOUNT_INTERFACE;
	if (s->interface != PROCESS_INTERFACE)
		return MEMORY_OBJECT_INTERFACE;
	switch (s->method) {
	case PROCESS_CREATE_MEMORY:
		return MEMORY_OBJECT_INTERFACE;
	case PROCESS_CREATE_EVENT:
		return EVENT_INTERFACE;
	case PROCESS_ACCOUNT:
		return ACCOUNT_INTERFACE;
	case PROCESS_FORK:
		return PROCESS_INTERFACE;
	default:
		return 0;
	}
}

static void keep(struct worker *w, cap_t cap, uint64_t interface)
{
	unsigned place = below(w, POOL);

	pool[place] = (struct entry){cap, interface};
}

static void reap(struct worker *w)
{
	struct capos_ring *ring = w->ring;

	for (; ring->cq_head != ring->cq_tail; ring->cq_head++) {
		const struct capos_cqe cqe = ring->cq[ring->cq_head % CAPOS_CQ_ENTRIES];
		if (cqe.user_data >= SLOTS || cqe.result)
			continue;
		const struct capos_sqe *s = &w->sent[cqe.user_data];
		if (s->op == CAP_OP_MINT || s->op == CAP_OP_COPY)
			keep(w, cqe.value, s->op == CAP_OP_MINT ? INTERFACE : 0);
		if (s->op == CAP_OP_RECV)
			calls[below(w, 8)] = w->reply[cqe.user_data][2];
		if (s->op != CAP_OP_CALL && s->op != CAP_OP_RECV)
			continue;
		for (unsigned i = 0; i < cqe.ncaps && i < CAPOS_MESSAGE_CAPS_MAX; i++)
			keep(w, w->caps[cqe.user_data][i], interface_of_result(s));
	}
}

/* ---- Threads ---- */

/* What the kernel finds when this thread ends: lists and words in the range. */
static void set_end(struct worker *w)
{
	struct capos_thread_end *end = &w->ring->end;

	end->robust_list = any_address(w);
	end->robust_owner = below(w, 4);
	end->exit_word = any_address(w);
	for (unsigned i = 0; i < CAPOS_LOCKS_HELD; i++)
		end->held[i] = any_address(w);
}

static void fork_one(struct worker *w);

static void submit_batch(struct worker *w)
{
	struct capos_ring *ring = w->ring;

	while (ring->sq_tail - ring->sq_head < CAPOS_SQ_ENTRIES) {
		unsigned slot = below(w, SLOTS);
		struct capos_sqe *s = &ring->sq[ring->sq_tail % CAPOS_SQ_ENTRIES];
		fill(w, s, slot);
		w->sent[slot] = *s;
		ring->sq_tail++;
	}
	cap_enter(0, chance(w, 8) ? below(w, 200000) : 0);
	reap(w);
}

/* Frees the places of what is in flight, when one is left to say so. */
static void cancel_all(struct worker *w)
{
	struct capos_ring *ring = w->ring;

	for (unsigned i = 0, entered = 0; i < ROUNDS * SLOTS && entered < 64; entered++) {
		for (; i < ROUNDS * SLOTS && ring->sq_tail - ring->sq_head < CAPOS_SQ_ENTRIES;
		     i++) {
			ring->sq[ring->sq_tail % CAPOS_SQ_ENTRIES] =
			        (struct capos_sqe){.op = CAP_OP_CANCEL,
			                           .flags = CAPOS_SQE_QUIET,
			                           .user_data = SLOTS,
			                           .arg = i % SLOTS};
			ring->sq_tail++;
		}
		cap_enter(0, 0);
		reap(w);
	}
}

static void fuzz(struct worker *w)
{
	unsigned entries = generation ? ENTRIES / 4 : ENTRIES;

	for (unsigned i = 0; i < entries; i += CAPOS_SQ_ENTRIES) {
		if (i % 256 == 0)
			set_end(w);
		submit_batch(w);
		if (i / CAPOS_SQ_ENTRIES % 3 == 2)
			cancel_all(w);
		if (chance(w, 60))
			fork_one(w);
	}
}

static void thread_main(uint64_t index)
{
	struct worker *w = &workers[index];

	w->ring = cap_ring();
	fuzz(w);
	cancel_all(w);
	if (__atomic_add_fetch(&over, 1, __ATOMIC_ACQ_REL) >= nthreads)
		cap_exit(0);
	process_exit_thread(CAP_SELF, NULL);
	/* It has not what it takes to end alone any more. */
	while (__atomic_load_n(&over, __ATOMIC_ACQUIRE) < nthreads && cap_now() < give_up_ns)
		cap_enter(0, 0);
	cap_exit(0);
}

static void child_main(uint64_t seed)
{
	struct worker *w = &workers[0];

	w->state = seed;
	w->ring = cap_ring();
	generation++;
	fuzz(w);
	cap_exit(0);
}

static void fork_one(struct worker *w)
{
	uint64_t seed = random64(w) | 1;
	cap_t child;

	if (generation > 1 || __atomic_fetch_add(&nforks, 1, __ATOMIC_RELAXED) >= FORKS)
		return;
	cancel_all(w);
	struct process_fork_params params = {.entry = (uint64_t)child_main,
	                                     .stack_pointer = (uint64_t)child_stack + STACK - 8,
	                                     .argument = seed};
	uint64_t buffer[16];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	if (process_fork(CAP_SELF, &params, NULL, &call))
		return;
	child = call.caps[0];
	keep(w, child, PROCESS_INTERFACE);
}

static uint64_t number(const char *text)
{
	uint64_t n = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		n = 10 * n + (uint64_t)(*text - '0');
	return n;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? number(argv[1]) : number(argv[0]);

	nthreads = THREADS;
	give_up_ns = cap_now() + PATIENCE_NS;
	for (unsigned i = 0; i < POOL; i++) {
		pool[i].interface = i % 4 ? MEMORY_OBJECT_INTERFACE : 0;
		if (i % 4)
			cap_memory_create(PAGE * (1 + i), &pool[i].cap);
		else if (i % 8)
			cap_endpoint_create(&pool[i].cap);
		else
			cap_event_create(&pool[i].cap);
		if (i % 4 && i < 24)
			cap_memory_map_at(pool[i].cap, 0, 4 * PAGE,
			                  CAP_RIGHT_READ | CAP_RIGHT_WRITE, chance(workers, 3),
			                  FIRST + 4 * i * PAGE);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].state = (seed + 1) * 0x9e3779b97f4a7c15ull + i * 0x632be59bd9b4e019ull;
		struct process_create_thread_params params = {.entry = (uint64_t)thread_main,
		                                              .stack_pointer = (uint64_t)stacks[i] +
		                                                               STACK - 8,
		                                              .argument = i};
		if (i > 0 && process_create_thread(CAP_SELF, &params, NULL, NULL))
			__atomic_sub_fetch(&nthreads, 1, __ATOMIC_RELAXED);
	}
	thread_main(0);
	return 0;
}

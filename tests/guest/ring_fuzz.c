/* SPDX-License-Identifier: MIT */
/*
 * A hostile program: submits a million ring entries with every field fuzzed, wild pointers and wild
 * indices, among them enough sound values that operations succeed and meet each other.  It ends
 * with status 0 when the kernel took all that; what else must still work is for others to find out.
 *
 * It spares itself only: it does not ask the kernel to end it or to take its memory away, and no
 * reply may fall on its own code and data.
 */
#include <capos/cap.h>
#include <capos/log.h>
#include <capos/schema/kernel.h>
#include <capos/schema/kernel_client.h>

#define ENTRIES   1000000u
#define NAMES     64u /* values of user_data in use, so that everything pending can be cancelled */
#define POOL      40u /* capabilities that are made again from time to time */
#define INTERFACE 0x600dull
#define GIVEN     7u      /* capabilities that it was started with; the first is the log */
#define SLOT      1024ull /* the arena in pieces, for RECV */

static uint64_t state = 0x9e3779b97f4a7c15ull;
static _Alignas(4096) uint8_t arena[16384]; /* the only memory of ours that pointers may name */
static cap_t pool[POOL];
static unsigned succeeded[CAP_OP_COUNT], failed[CAP_OP_COUNT];

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)((random64() >> 32) * n >> 32);
}

static bool chance(uint32_t n)
{
	return below(n) == 0;
}

static uint64_t any_address(void)
{
	switch (below(24)) {
	case 0:
		return random64();
	case 1:
		return 0xffff800000000000ull + below(1u << 30);
	case 2:
		return CAPOS_USER_MAX - below(8192);
	case 3:
		return below(65536);
	case 4:
		return 0xffffffff80000000ull + below(1u << 22);
	case 5:
		return UINT64_MAX - below(4096);
	case 6:
		return CAPOS_CLOCK_ADDR + below(4096);
	default:
		return (uint64_t)arena + below(sizeof(arena) - SLOT);
	}
}

static uint32_t any_length(void)
{
	switch (below(12)) {
	case 0:
		return (uint32_t)random64();
	case 1:
		return below(CAPOS_MESSAGE_MAX + 8);
	default:
		return below(SLOT);
	}
}

static uint64_t any_interface(void)
{
	static const uint64_t known[] = {
	        PROCESS_INTERFACE,       MEMORY_OBJECT_INTERFACE,  EVENT_INTERFACE,
	        TIMER_INTERFACE,         ENTROPY_SOURCE_INTERFACE, LOG_INTERFACE,
	        SYSTEM_STATUS_INTERFACE, DEVICE_MANAGER_INTERFACE, PROCESS_SPAWNER_INTERFACE,
	        DEVICE_MMIO_INTERFACE,   INTERRUPT_INTERFACE,      DMA_POOL_INTERFACE,
	        CODE_MAKER_INTERFACE};
	if (chance(20))
		return random64();
	return chance(2) ? INTERFACE : known[below(sizeof(known) / sizeof(known[0]))];
}

static cap_t any_cap(void)
{
	switch (below(12)) {
	case 0:
		return random64();
	case 1:
		return CAP_ID(1 + below(60), 1 + below(300));
	case 2:
		return CAP_GIVEN(below(GIVEN));
	case 3:
		return CAP_SELF;
	default:
		return pool[below(POOL)];
	}
}

/* What would end or stop this program, or let it lose what it needs to go on; and the log, which is
 * slow. */
static bool spared(const struct capos_sqe *s)
{
	bool kept = CAP_INDEX(s->cap) < 2 + GIVEN && CAP_GENERATION(s->cap) == 1;
	if (s->op == CAP_OP_RELEASE)
		return kept;
	if (s->op != CAP_OP_CALL)
		return false;
	if (s->interface == LOG_INTERFACE)
		return !chance(1000);
	if (s->interface == EVENT_INTERFACE)
		return true; /* an upcall would run at a wild address */
	if (s->interface != PROCESS_INTERFACE)
		return false;
	return s->method == PROCESS_EXIT_THREAD || s->method == PROCESS_KILL ||
	       s->method == PROCESS_UNMAP || s->method == PROCESS_PROTECT ||
	       s->method == PROCESS_CREATE_THREAD || s->method == PROCESS_FORK ||
	       s->method == PROCESS_EXEC;
}

/* Where RECVs of this program put calls, to answer some of them. */
static uint64_t some_call_id(void)
{
	return ((const struct capos_received *)&arena[below(8) * SLOT])->call_id;
}

static void fill(struct capos_sqe *s)
{
	*s = (struct capos_sqe){.op = chance(30) ? (uint8_t)random64()
	                                         : (uint8_t)below(CAP_OP_COUNT),
	                        .flags = chance(20) ? (uint8_t)random64() : (uint8_t)chance(8),
	                        .method = chance(20) ? (uint16_t)random64() : (uint16_t)below(15),
	                        .status = chance(8) ? (int32_t)random64() : (int32_t)below(40),
	                        .user_data = below(NAMES),
	                        .cap = any_cap(),
	                        .arg = chance(4) ? random64() : below(NAMES),
	                        .interface = any_interface(),
	                        .send_addr = any_address(),
	                        .send_caps = any_address(),
	                        .send_len = chance(3) ? 0 : any_length(),
	                        .send_ncaps = chance(20) ? any_length() : below(3),
	                        .recv_addr = any_address(),
	                        .recv_caps = any_address(),
	                        .recv_len = any_length(),
	                        .recv_ncaps = chance(20) ? any_length() : below(20)};
	if (s->op == CAP_OP_RECV && !chance(4)) {
		s->recv_addr = (uint64_t)&arena[below(8) * SLOT];
		s->recv_len = SLOT;
	}
	if (s->op == CAP_OP_RETURN && !chance(4))
		s->arg = some_call_id();
	if (s->op == CAP_OP_COPY && !chance(4))
		s->arg = CAP_RIGHTS_ALL;
	if ((s->op == CAP_OP_LOAD || s->op == CAP_OP_STORE) && chance(2))
		s->witness = any_cap();
	if (s->op == CAP_OP_MINT && !chance(4))
		s->interface = INTERFACE;
	if (chance(100))
		s->reserved[below(4)] = random64();
	if (spared(s))
		s->op = CAP_OP_NOP;
}

/* Capabilities to send in all places that send_caps may name, and parameters that mean something in
 * some. */
static void fill_arena(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint64_t *at = (uint64_t *)&arena[8 * SLOT + 16 * (uint64_t)below(7 * SLOT / 16)];
		at[0] = chance(16) ? random64() : pool[below(POOL)];
		at[1] = CAP_RIGHTS_ALL | (uint64_t)chance(3) << 32;
	}
	for (unsigned i = 0; i < 16; i++) {
		struct msg_builder b;
		msg_builder_init(&b, &arena[8 * SLOT + 64 * (uint64_t)below(7 * SLOT / 64)], 64);
		struct process_map_params map = {.size = below(20000),
		                                 .access = below(8),
		                                 .memory_index = (uint16_t)below(2),
		                                 .private = chance(2)};
		struct timer_arm_params arm = {
		        .deadline_ns = random64(), .interval_ns = below(5000), .bits = random64()};
		struct memory_object_slice_params slice = {.offset = below(8) * 1024ull,
		                                           .size = any_length()};
		if (chance(3))
			process_map_params_write(&b, &map);
		else if (chance(2))
			timer_arm_params_write(&b, &arm);
		else
			memory_object_slice_params_write(&b, &slice);
	}
}

static void enter_with_wild_indices(struct capos_ring *ring)
{
	uint32_t tail = ring->sq_tail, head = ring->cq_head;
	ring->sq_tail = tail + CAPOS_SQ_ENTRIES + 1 + below(1u << 31);
	ring->cq_head = head + (uint32_t)random64();
	cap_enter(random64(), 0);
	ring->sq_tail = tail;
	ring->cq_head = head;
}

static void reap(struct capos_ring *ring, const uint8_t *ops)
{
	for (; ring->cq_head != ring->cq_tail; ring->cq_head++) {
		const struct capos_cqe *cqe = &ring->cq[ring->cq_head % CAPOS_CQ_ENTRIES];
		if (cqe->user_data >= NAMES || ops[cqe->user_data] >= CAP_OP_COUNT)
			continue;
		(cqe->result >= 0 ? succeeded : failed)[ops[cqe->user_data]]++;
	}
}

/* Frees the places of what is pending, in batches of nothing else: nothing may take the last
 * places. */
static void cancel_all(struct capos_ring *ring, const uint8_t *ops)
{
	for (unsigned round = 0; round < 4; round++) { /* names are used more than once */
		for (uint64_t name = 0; name < NAMES;) {
			for (; name < NAMES && ring->sq_tail - ring->sq_head < CAPOS_SQ_ENTRIES;
			     name++) {
				ring->sq[ring->sq_tail % CAPOS_SQ_ENTRIES] = (struct capos_sqe){
				        .op = CAP_OP_CANCEL, .user_data = NAMES, .arg = name};
				ring->sq_tail++;
			}
			cap_enter(0, 0);
			reap(ring, ops);
		}
	}
}

static void make_memory(cap_t *out)
{
	if (cap_memory_create(1 + below(100000), out) != CAP_OK)
		*out = CAP_NULL;
}

static void make_timer(cap_t *out)
{
	uint64_t buffer[16];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	*out = timer_create(CAP_GIVEN(1), NULL, &call) == CAP_OK ? call.caps[0] : CAP_NULL;
}

/* Nothing is in flight here, so the library may use the ring. */
static void refill_pool(void)
{
	for (unsigned i = 0; i < POOL; i++) {
		cap_release(pool[i]);
		pool[i] = CAP_NULL;
		if (i % 5 == 0)
			cap_endpoint_create(&pool[i]);
		else if (i % 5 == 1 || i % 5 == 2)
			cap_mint(pool[i - i % 5], INTERFACE, random64(), &pool[i]);
		else if (i % 5 == 3)
			cap_event_create(&pool[i]);
		else if (chance(2))
			make_memory(&pool[i]);
		else
			make_timer(&pool[i]);
	}
}

static void report(unsigned op)
{
	char text[80];
	fmt_snprintf(text, sizeof(text), "operation %u: %u succeeded, %u failed", op, succeeded[op],
	             failed[op]);
	struct log_write_params params = {
	        .text = {.ptr = text, .len = (uint32_t)__builtin_strlen(text)}};
	log_write(CAP_GIVEN(0), &params, NULL);
}

int main(void)
{
	struct capos_ring *ring = cap_ring();
	uint8_t ops[NAMES] = {0};
	unsigned taken = 0;
	for (unsigned batch = 0; taken < ENTRIES; batch++) {
		if (batch % 64 == 0) {
			cancel_all(ring, ops);
			refill_pool();
			enter_with_wild_indices(ring);
		}
		if (batch % 4 == 0)
			fill_arena();
		while (ring->sq_tail - ring->sq_head < CAPOS_SQ_ENTRIES) {
			struct capos_sqe *s = &ring->sq[ring->sq_tail % CAPOS_SQ_ENTRIES];
			fill(s);
			ops[s->user_data] = s->op;
			ring->sq_tail++;
		}
		uint32_t head = ring->sq_head;
		cap_enter(0, 0);
		taken += ring->sq_head - head;
		reap(ring, ops);
		if (batch % 4 == 3)
			cancel_all(ring, ops);
	}
	cancel_all(ring, ops);
	for (unsigned op = 0; op < CAP_OP_COUNT; op++) {
		report(op);
		if (succeeded[op] == 0)
			return 1; /* then this was no test of it */
	}
	return 0;
}

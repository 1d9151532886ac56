/* SPDX-License-Identifier: MIT */
/*
 * A hostile program: submits a million ring entries with every field fuzzed, wild pointers and wild
 * indices.  It ends with status 0 when the kernel took all that; what else must still work is for
 * others to find out.
 *
 * It spares itself only: it does not ask the kernel to end it, and no reply may fall on its own
 * code and data.
 */
#include <capos/cap.h>
#include <capos/schema/kernel.h>

#define ENTRIES 1000000u
#define NAMES   64u /* values of user_data in use, so that everything pending can be cancelled */

static uint64_t state = 0x9e3779b97f4a7c15ull;
static _Alignas(4096) uint8_t arena[16384]; /* the only memory of ours that pointers may name */

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

static uint64_t any_address(void)
{
	switch (below(10)) {
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
		return (uint64_t)arena + below(sizeof(arena));
	}
}

static uint32_t any_length(void)
{
	switch (below(6)) {
	case 0:
		return (uint32_t)random64();
	case 1:
		return below(CAPOS_MESSAGE_MAX + 8);
	default:
		return below(256);
	}
}

static uint64_t any_interface(void)
{
	static const uint64_t known[] = {
	        PROCESS_INTERFACE,       MEMORY_OBJECT_INTERFACE,  EVENT_INTERFACE,
	        TIMER_INTERFACE,         ENTROPY_SOURCE_INTERFACE, LOG_INTERFACE,
	        SYSTEM_STATUS_INTERFACE, DEVICE_MANAGER_INTERFACE, PROCESS_SPAWNER_INTERFACE,
	        DEVICE_MMIO_INTERFACE,   INTERRUPT_INTERFACE,      DMA_POOL_INTERFACE};
	return below(20) == 0 ? random64() : known[below(sizeof(known) / sizeof(known[0]))];
}

static cap_t any_cap(void)
{
	switch (below(8)) {
	case 0:
		return random64();
	case 1:
		return CAP_ID(below(200), below(4));
	case 2:
		return CAP_SELF;
	default:
		return CAP_ID(1 + below(40), 1 + below(3));
	}
}

/* Calls that would end or stop this program. */
static bool ends_us(const struct capos_sqe *s)
{
	return s->op == CAP_OP_CALL &&
	       (s->method == PROCESS_EXIT_THREAD || s->method == PROCESS_KILL ||
	        s->method == PROCESS_UNMAP || s->method == PROCESS_PROTECT ||
	        s->method == PROCESS_CREATE_THREAD);
}

/* The log is not to be filled: lines of a hostile program are slow to write out. */
static bool logs(const struct capos_sqe *s)
{
	return s->op == CAP_OP_CALL && s->interface == LOG_INTERFACE && below(1000) != 0;
}

/* Keeps what makes a fair number of capabilities and calls come about at all. */
static bool gives_away(const struct capos_sqe *s)
{
	return s->op == CAP_OP_RELEASE && CAP_INDEX(s->cap) < 9 && CAP_GENERATION(s->cap) == 1;
}

static void fill(struct capos_sqe *s)
{
	*s = (struct capos_sqe){
	        .op = below(30) == 0 ? (uint8_t)random64() : (uint8_t)below(CAP_OP_COUNT),
	        .flags = below(8) == 0 ? (uint8_t)random64() : (uint8_t)below(2),
	        .method = below(10) == 0 ? (uint16_t)random64() : (uint16_t)below(14),
	        .status = below(4) == 0 ? (int32_t)random64() : (int32_t)below(40),
	        .user_data = below(NAMES),
	        .cap = any_cap(),
	        .arg = below(3) == 0 ? random64() : below(NAMES),
	        .interface = any_interface(),
	        .send_addr = any_address(),
	        .send_caps = any_address(),
	        .send_len = below(2) ? 0 : any_length(),
	        .send_ncaps = below(4) == 0 ? any_length() : below(3),
	        .recv_addr = any_address(),
	        .recv_caps = any_address(),
	        .recv_len = any_length(),
	        .recv_ncaps = below(4) == 0 ? any_length() : below(20)};
	if (below(50) == 0)
		s->reserved[below(5)] = random64();
	if (ends_us(s) || logs(s) || gives_away(s))
		s->op = CAP_OP_NOP;
}

/* Parameters and capability lists that are sometimes meaningful. */
static void fill_arena(void)
{
	for (unsigned i = 0; i < 64; i++) {
		uint64_t *at = (uint64_t *)&arena[below(sizeof(arena) / 8 - 2) * (uint64_t)8];
		at[0] = below(2)   ? any_cap()
		        : below(2) ? (uint64_t)below(4) << 32 | (uint64_t)below(3) << 48
		                   : random64();
		at[1] = below(2) ? CAP_RIGHTS_ALL | (uint64_t)below(3) << 32 : below(64);
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

/* Frees the places of what is pending.  Done by its own batch, since nothing else may take the last
 * places. */
static void cancel_all(struct capos_ring *ring)
{
	for (uint64_t name = 0; name < NAMES;) {
		for (; name < NAMES && ring->sq_tail - ring->sq_head < CAPOS_SQ_ENTRIES; name++) {
			ring->sq[ring->sq_tail % CAPOS_SQ_ENTRIES] = (struct capos_sqe){
			        .op = CAP_OP_CANCEL, .user_data = NAMES, .arg = name};
			ring->sq_tail++;
		}
		ring->cq_head = ring->cq_tail;
		cap_enter(0, 0);
		ring->cq_head = ring->cq_tail;
	}
}

int main(void)
{
	struct capos_ring *ring = cap_ring();
	uint32_t start = ring->sq_head;
	for (unsigned batch = 0; ring->sq_head - start < ENTRIES; batch++) {
		while (ring->sq_tail - ring->sq_head < CAPOS_SQ_ENTRIES) {
			fill(&ring->sq[ring->sq_tail % CAPOS_SQ_ENTRIES]);
			ring->sq_tail++;
		}
		if (batch % 4 == 0)
			fill_arena();
		if (batch % 64 == 0)
			enter_with_wild_indices(ring);
		cap_enter(0, 0);
		ring->cq_head = ring->cq_tail;
		if (batch % 2 == 0)
			cancel_all(ring);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The host under netstack's pure files: platform, heap, driver, and a little of a peer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <capos/abi.h>
#include <capos/schema/status.h>

#include "netstack/lwip/checksum.h"
#include "netstack/lwip/handshake.h"
#include "netstack/lwip/nic.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/random.h"
#include "netstack/lwip/stack.h"
#include "netstack/socket/datagram.h"
#include "netstack/socket/icmp.h"
#include "netstack/socket/loop.h"
#include "netstack/socket/resolver.h"
#include "netstack/socket/tcp.h"
#include "netstack/socket/tcp_listen.h"
#include "tests/unit/netstack_host.h"

#define EVENTS_MAX   64
#define SENT_MAX     4096
#define DRIVER_EVENT 1

uint64_t host_now = SECOND_NS;
const uint8_t host_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
const uint8_t peer_mac[6] = {0x52, 0x55, 10, 0, 2, 2};
struct nicqueue host_driver;
uint32_t host_allocations, host_heap_limit, host_memory_left = UINT32_MAX;
uint64_t host_released;

static unsigned wakes[EVENTS_MAX];
static struct frame *sent[SENT_MAX];
static unsigned sent_first, sent_count;
static uint32_t free_buffers[HOST_RECEIVE_BUFFERS];
static unsigned nfree_buffers;

/* ---- Platform ---- */

uint64_t platform_now(void)
{
	return host_now;
}

void *platform_memory_create(uint64_t account, uint64_t size, uint64_t *handle)
{
	void *memory = NULL;

	*handle = 1;
	if (account == HOST_EMPTY_ACCOUNT)
		return NULL;
	if (host_memory_left == 0 || posix_memalign(&memory, CAPOS_PAGE_SIZE, size))
		return NULL;
	return memset(memory, 0, size);
}

void platform_memory_destroy(void *memory, uint64_t size, uint64_t handle)
{
	(void)size, (void)handle;
	free(memory);
}

void platform_signal(uint64_t event, uint64_t bits)
{
	(void)bits;
	assert_true(event < EVENTS_MAX);
	wakes[event]++;
}

void platform_release(uint64_t handle)
{
	host_released = handle;
}

void platform_log(const char *format, ...)
{
	(void)format;
}

_Noreturn void port_assert_failed(const char *message, int line, const char *file)
{
	fprintf(stderr, "%s (%s:%d)\n", message, file, line);
	abort();
}

unsigned host_wakes(uint64_t event)
{
	unsigned n = wakes[event];

	wakes[event] = 0;
	return n;
}

uint32_t host_heap_quota = 384;

uint32_t heap_quota(size_t size)
{
	(void)size;
	return host_heap_quota;
}

void *heap_allocate(size_t size)
{
	if (host_heap_limit && host_allocations >= host_heap_limit)
		return NULL;
	host_allocations++;
	return malloc(size);
}

void *heap_allocate_zeroed(size_t count, size_t size)
{
	void *block = heap_allocate(count * size);

	return block ? memset(block, 0, count * size) : NULL;
}

void heap_free(void *block)
{
	if (block)
		host_allocations--;
	free(block);
}

/* ---- Driver ---- */

void host_start(bool dhcp)
{
	uint8_t seed[RANDOM_SEED_SIZE] = {42};
	struct stack_config config = {.mode = dhcp ? STACK_DHCP : STACK_STATIC,
	                              .address = {HOST_OWN},
	                              .netmask = {host_address("255.255.255.0")},
	                              .gateway = {HOST_GATEWAY},
	                              .name_servers = {{host_address("10.0.2.3")}},
	                              .nname_servers = 1,
	                              .host_name = "capos"};
	struct nic_setup setup = {.receive_buffers = HOST_RECEIVE_BUFFERS,
	                          .transmit_buffers = HOST_TRANSMIT_BUFFERS,
	                          .mtu = 1500,
	                          .driver_event = DRIVER_EVENT,
	                          .driver_bits = 1};
	uint64_t handle;

	random_seed(seed);
	resolver_on_answer(policy_learn);
	handshake_on_full(tcp_listener_full);
	stack_init();
	assert_int_equal(socket_start(SOCKETS_MAX), STATUS_OK);
	assert_int_equal(icmp_init(), STATUS_OK);
	memcpy(setup.mac, host_mac, 6);
	setup.memory = platform_memory_create(
	        0, NICQUEUE_MEMORY_SIZE(HOST_RECEIVE_BUFFERS, HOST_TRANSMIT_BUFFERS), &handle);
	nicqueue_init(&host_driver, setup.memory, HOST_RECEIVE_BUFFERS, HOST_TRANSMIT_BUFFERS);
	for (uint32_t i = 0; i < HOST_RECEIVE_BUFFERS; i++)
		free_buffers[nfree_buffers++] = i;
	assert_int_equal(nic_open(&setup), STATUS_OK);
	stack_configure(&config);
	host_run();
}

static void take_sent(void)
{
	struct nicqueue_descriptor d;

	while (queue_take(&host_driver.transmit_ready, &d, 1)) {
		struct frame *f = malloc(sizeof(*f));

		assert_true(d.buffer < HOST_TRANSMIT_BUFFERS);
		assert_true(d.offset >= NICQUEUE_HEADROOM);
		assert_true(d.offset + d.length <= NICQUEUE_BUFFER_SIZE);
		assert_true(sent_count < SENT_MAX);
		f->length = d.length;
		memcpy(f->bytes,
		       host_driver.transmit_buffers + d.buffer * NICQUEUE_BUFFER_SIZE + d.offset,
		       d.length);
		sent[(sent_first + sent_count++) % SENT_MAX] = f;
		queue_put(&host_driver.transmit_free,
		          &(struct nicqueue_descriptor){.buffer = d.buffer}, 1);
	}
	queue_publish_take(&host_driver.transmit_ready);
	queue_publish_put(&host_driver.transmit_free);
	while (queue_take(&host_driver.receive_free, &d, 1)) {
		bool had = false;

		assert_true(d.buffer < HOST_RECEIVE_BUFFERS);
		for (unsigned i = 0; i < nfree_buffers; i++)
			had |= free_buffers[i] == d.buffer; /* after a test that lied */
		if (!had)
			free_buffers[nfree_buffers++] = d.buffer;
	}
	queue_publish_take(&host_driver.receive_free);
}

void host_run(void)
{
	unsigned rounds = 0;

	do {
		while (loop_turn())
			assert_true(++rounds < 100000);
		loop_flush();
		take_sent();
	} while (loop_arm());
}

void host_advance(uint64_t ns)
{
	uint64_t end = host_now + ns;

	while (loop_deadline() < end) {
		if (loop_deadline() > host_now)
			host_now = loop_deadline();
		host_run();
	}
	host_now = end;
	host_run();
}

bool host_sent(struct frame *out)
{
	if (!sent_count)
		return false;
	*out = *sent[sent_first];
	free(sent[sent_first]);
	sent_first = (sent_first + 1) % SENT_MAX;
	sent_count--;
	return true;
}

unsigned host_sent_count(void)
{
	return sent_count;
}

void host_drop_sent(void)
{
	struct frame f;

	while (host_sent(&f))
		;
}

unsigned host_driver_buffers(void)
{
	return nfree_buffers;
}

void host_receive_flags(const struct frame *f, uint32_t flags)
{
	struct nicqueue_descriptor d = {
	        .offset = 12, .length = (uint16_t)f->length, .flags = flags};

	if (!nfree_buffers)
		return; /* the wire loses it */
	d.buffer = free_buffers[--nfree_buffers];
	memcpy(host_driver.receive_buffers + d.buffer * NICQUEUE_BUFFER_SIZE + d.offset, f->bytes,
	       f->length);
	queue_put(&host_driver.receive_ready, &d, 1);
	queue_publish_put(&host_driver.receive_ready);
}

void host_receive(const struct frame *f)
{
	host_receive_flags(f, 0);
}

/* ---- Frames ---- */

uint32_t host_address(const char *text)
{
	ip4_addr_t address;

	assert_true(ip4addr_aton(text, &address));
	return address.addr;
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void set_sum(uint8_t *where, const uint8_t *from, size_t length, uint32_t sum)
{
	uint16_t value;

	where[0] = where[1] = 0;
	value = (uint16_t)~fold(sum + port_checksum(from, (int)length));
	memcpy(where, &value, 2);
}

void fix_sums(struct frame *f)
{
	uint8_t *ip = f->bytes + 14, *body = ip + 20, pseudo[12] = {0};
	size_t length = f->length - 34;
	uint8_t *where = ip[9] == 6 ? body + 16 : ip[9] == 17 ? body + 6 : body + 2;

	set_sum(ip + 10, ip, 20, 0);
	if (where + 2 > f->bytes + f->length)
		return;
	memcpy(pseudo, ip + 12, 8);
	pseudo[9] = ip[9];
	put16(pseudo + 10, (uint32_t)length);
	set_sum(where, body, length, ip[9] == 1 ? 0 : port_checksum(pseudo, 12));
}

void build_ip(struct frame *f, uint32_t source, uint32_t destination, uint8_t protocol,
              uint16_t fragment, const void *payload, size_t length)
{
	static uint16_t identification = 1;
	uint8_t *ip = f->bytes + 14;

	assert_true(length <= 1480);
	source = source ? source : HOST_GATEWAY;
	destination = destination ? destination : HOST_OWN;
	memcpy(f->bytes, host_mac, 6);
	memcpy(f->bytes + 6, peer_mac, 6);
	put16(f->bytes + 12, 0x0800);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(20 + length));
	put16(ip + 4, fragment ? 77 : identification++);
	put16(ip + 6, fragment);
	ip[8] = 55;
	ip[9] = protocol;
	memcpy(ip + 12, &source, 4);
	memcpy(ip + 16, &destination, 4);
	if (payload)
		memcpy(ip + 20, payload, length);
	f->length = 34 + length;
	set_sum(ip + 10, ip, 20, 0);
}

void build_tcp(struct frame *f, const struct segment *s)
{
	uint8_t body[1480] = {0};
	size_t header = 20 + s->noptions;

	put16(body, s->source_port);
	put16(body + 2, s->destination_port);
	put32(body + 4, s->sequence);
	put32(body + 8, s->acknowledgement);
	body[12] = (uint8_t)(header / 4 << 4);
	body[13] = s->flags;
	put16(body + 14, s->window ? s->window : 65535);
	if (s->noptions)
		memcpy(body + 20, s->options, s->noptions);
	if (s->length)
		memcpy(body + header, s->payload, s->length);
	build_ip(f, s->source, s->destination, 6, 0, body, header + s->length);
	fix_sums(f);
}

void build_udp(struct frame *f, const struct segment *s)
{
	uint8_t body[1480] = {0};

	put16(body, s->source_port);
	put16(body + 2, s->destination_port);
	put16(body + 4, (uint32_t)(8 + s->length));
	if (s->length)
		memcpy(body + 8, s->payload, s->length);
	build_ip(f, s->source, s->destination, 17, 0, body, 8 + s->length);
	fix_sums(f);
}

void build_icmp(struct frame *f, uint32_t source, uint8_t type, uint8_t code, uint32_t rest,
                const void *payload, size_t length)
{
	uint8_t body[1480] = {type, code};

	put32(body + 4, rest);
	memcpy(body + 8, payload, length);
	build_ip(f, source, 0, 1, 0, body, 8 + length);
	fix_sums(f);
}

static bool read_ip(const struct frame *f, uint8_t protocol, struct segment *out,
                    const uint8_t **body, size_t *length)
{
	const uint8_t *ip = f->bytes + 14;

	if (f->length < 34 || get16(f->bytes + 12) != 0x0800 || ip[9] != protocol)
		return false;
	assert_int_equal(port_checksum(ip, 20), 0xffff);
	assert_int_equal(get16(ip + 2), f->length - 14);
	memset(out, 0, sizeof(*out));
	memcpy(&out->source, ip + 12, 4);
	memcpy(&out->destination, ip + 16, 4);
	*body = ip + 20;
	*length = f->length - 34;
	return true;
}

/* The sum that netstack put in must be right. */
static void check_sum(const struct frame *f, const uint8_t *body, size_t length)
{
	uint8_t pseudo[12] = {0};

	memcpy(pseudo, f->bytes + 26, 8);
	pseudo[9] = f->bytes[23];
	put16(pseudo + 10, (uint32_t)length);
	assert_int_equal(
	        fold((uint32_t)port_checksum(pseudo, 12) + port_checksum(body, (int)length)),
	        0xffff);
}

bool read_tcp(const struct frame *f, struct segment *out)
{
	const uint8_t *body;
	size_t length, header;

	if (!read_ip(f, 6, out, &body, &length))
		return false;
	check_sum(f, body, length);
	header = (size_t)(body[12] >> 4) * 4;
	out->source_port = get16(body);
	out->destination_port = get16(body + 2);
	out->sequence = get32(body + 4);
	out->acknowledgement = get32(body + 8);
	out->flags = body[13];
	out->window = get16(body + 14);
	out->options = body + 20;
	out->noptions = header - 20;
	out->payload = body + header;
	out->length = length - header;
	return true;
}

bool read_udp(const struct frame *f, struct segment *out)
{
	const uint8_t *body;
	size_t length;

	if (!read_ip(f, 17, out, &body, &length))
		return false;
	check_sum(f, body, length);
	out->source_port = get16(body);
	out->destination_port = get16(body + 2);
	out->payload = body + 8;
	out->length = length - 8;
	return true;
}

bool read_icmp(const struct frame *f, struct segment *out)
{
	const uint8_t *body;
	size_t length;

	if (!read_ip(f, 1, out, &body, &length))
		return false;
	out->flags = body[0];
	out->window = body[1];
	out->payload = body;
	out->length = length;
	return true;
}

/* Answers if it is a question for any address but our own. */
static void answer_arp(const struct frame *f)
{
	struct frame reply = *f;
	uint8_t *arp = reply.bytes + 14;

	if (get16(f->bytes + 12) != 0x0806 || get16(f->bytes + 20) != 1)
		return;
	if (memcmp(f->bytes + 38, &(uint32_t){HOST_OWN}, 4) == 0)
		return;
	memcpy(reply.bytes, host_mac, 6);
	memcpy(reply.bytes + 6, peer_mac, 6);
	put16(arp + 6, 2);
	memcpy(arp + 18, f->bytes + 22, 10); /* to who asked */
	memcpy(arp + 8, peer_mac, 6);
	memcpy(arp + 14, f->bytes + 38, 4);
	host_receive(&reply);
	host_run();
}

static bool next(struct segment *out, uint16_t port,
                 bool (*read)(const struct frame *, struct segment *))
{
	static struct frame kept[8]; /* what was returned stays readable for a while */
	static unsigned turn;
	struct frame f;

	while (host_sent(&f)) {
		answer_arp(&f);
		kept[turn % 8] = f;
		if (!read(&kept[turn % 8], out) || (port && out->destination_port != port))
			continue;
		turn++;
		return true;
	}
	return false;
}

bool next_tcp(struct segment *out, uint16_t port)
{
	return next(out, port, read_tcp);
}

bool next_udp(struct segment *out, uint16_t port)
{
	return next(out, port, read_udp);
}

bool next_icmp(struct segment *out)
{
	return next(out, 0, read_icmp);
}

/* ---- Programs ---- */

static uint64_t next_event = 2;

void program_accepted(struct program *p, struct socket *s)
{
	p->socket = s;
	p->event = next_event++ % (EVENTS_MAX - 2) + 2;
	socket_set_wake(s, p->event, 1);
	assert_int_equal(channel_open(&p->channel, s->channel.shared, s->channel.memory_size),
	                 CAP_OK);
	host_wakes(p->event);
	socket_mark(s);
	host_run();
}

int program_open(struct program *p, enum socket_kind kind, struct policy *policy)
{
	struct socket *s;
	int status = socket_create(kind, policy ? policy : policy_root(), &s);

	if (!status && kind != SOCKET_TCP)
		status = datagram_open(s);
	if (!status)
		program_accepted(p, s);
	return status;
}

uint32_t program_status(const struct program *p)
{
	return atomic_load(&p->channel.shared->status);
}

size_t program_send(struct program *p, const void *bytes, size_t length)
{
	size_t n = queue_put(&p->channel.send, bytes, (uint32_t)length);

	if (queue_publish_put(&p->channel.send))
		socket_woken(socket_bits(p->socket));
	host_run();
	return n;
}

size_t program_receive(struct program *p, void *bytes, size_t length)
{
	size_t n = queue_take(&p->channel.receive, bytes, (uint32_t)length);

	if (queue_publish_take(&p->channel.receive))
		socket_woken(socket_bits(p->socket));
	host_run();
	return n;
}

void program_close(struct program *p)
{
	if (p->socket->kind == SOCKET_TCP)
		tcp_socket_close(p->socket);
	else
		datagram_close(p->socket);
	p->socket = NULL;
	host_run();
}

/* SPDX-License-Identifier: MIT */
/*
 * The virtio network driver's process: serves Nic, and runs net.c whenever the device interrupts
 * or the client signals.  It sleeps until then: no timers, no polling.  All calls to other objects
 * are made here and in drivers/virtio/device.c.
 */
#include <string.h>

#include <capos/log.h>
#include <capos/schema/network.h>
#include <capos/schema/network_server.h>
#include <capos/schema/status.h>
#include <capos/server.h>
#include <capos/start.h>

#include "drivers/virtio-net/net.h"
#include "drivers/virtio/driver.h"

/* Feature bits (virtio 1.2, section 5.1.3). */
#define FEATURE_GUEST_CSUM (1ull << 1)
#define FEATURE_MAC        (1ull << 5)
#define FEATURE_MRG_RXBUF  (1ull << 15)
#define FEATURE_STATUS     (1ull << 16)

/* Offsets in the device configuration. */
#define CONFIG_MAC    0u
#define CONFIG_STATUS 6u
#define LINK_UP       1u

#define QUEUE_RECEIVE  0u
#define QUEUE_TRANSMIT 1u

/* The object word of the one Nic (an export of the manifest). */
#define NIC_WORD 1u

/* Calls of `receive` that wait at the same time. */
#define WAITING_MAX 8u

/* A frame and what stands around it. */
#define MESSAGE_MAX 2560u
_Static_assert(NET_FRAME_MAX + 512 <= MESSAGE_MAX, "a frame fits");

#define QUEUE_BYTES   VIRTQUEUE_MEMORY_SIZE(VIRTQUEUE_SIZE_MAX)
#define PRIVATE_BYTES (2 * QUEUE_BYTES + NET_CALL_BUFFERS * NICQUEUE_BUFFER_SIZE)
#define PRIVATE_PAGES (PRIVATE_BYTES / CAPOS_PAGE_SIZE)
_Static_assert(PRIVATE_BYTES % CAPOS_PAGE_SIZE == 0, "whole pages");

static struct net net;
static struct virtqueue_slot receive_slots[VIRTQUEUE_SIZE_MAX];
static struct virtqueue_slot transmit_slots[VIRTQUEUE_SIZE_MAX];

/* Not shared: both virtqueues, then the call buffers. */
static uint8_t *private_memory;
static uint64_t private_pages[PRIVATE_PAGES];
/* Shared with the client. */
static uint64_t shared_pages[NET_PAGES_MAX];
static cap_t shared_memory;

static uint16_t receive_size, transmit_size; /* of the virtqueues */
static uint8_t mac[NET_MAC_LENGTH];
static cap_t wake; /* the client's event, or CAP_NULL */
static uint64_t wake_bits;
static struct server_pending waiting[WAITING_MAX]; /* calls of `receive`, oldest first */
static uint32_t nwaiting;

/* ---- The device ---- */

static int negotiate(void)
{
	uint64_t wanted =
	        FEATURE_GUEST_CSUM | FEATURE_MRG_RXBUF | FEATURE_STATUS | VIRTIO_F_EVENT_IDX;

	return virtio_negotiate(&device, wanted, FEATURE_MAC);
}

/* From reset to running; the buffers' owners are brought up to date. */
static void start_device(void)
{
	int result = negotiate();

	net.mergeable = device.features & FEATURE_MRG_RXBUF;
	net.checksum_receive = device.features & FEATURE_GUEST_CSUM;
	if (!result)
		result = virtio_queue_setup(&device, &net.receive, QUEUE_RECEIVE, receive_size,
		                            private_memory, private_pages, 0, receive_slots);
	if (!result)
		result = virtio_queue_setup(&device, &net.transmit, QUEUE_TRANSMIT, transmit_size,
		                            private_memory + (size_t)QUEUE_BYTES, private_pages,
		                            QUEUE_BYTES, transmit_slots);
	if (result) {
		virtio_fail(&device);
		log_fatal("the network device cannot be started: %s", cap_error_text(result));
	}
	virtio_run(&device);
	net_restart(&net);
}

static uint16_t queue_size(uint16_t index)
{
	uint16_t size = virtio_queue_size(&device, index);

	if (size == 0)
		log_fatal("the network device has no queue %u", index);
	return size < VIRTQUEUE_SIZE_MAX ? size : VIRTQUEUE_SIZE_MAX;
}

static void set_up(void)
{
	void *base;
	int result = virtio_open(&device, "device");

	if (result)
		log_fatal("no network device: %s", cap_error_text(result));
	receive_size = queue_size(QUEUE_RECEIVE);
	transmit_size = queue_size(QUEUE_TRANSMIT);
	result = virtio_dma_allocate(&device, PRIVATE_PAGES, private_pages, &base, NULL);
	if (result)
		log_fatal_error(result, "no memory for the queues");
	private_memory = base;
	net.call_buffers = private_memory + 2ul * QUEUE_BYTES;
	net.call_pages = private_pages + 2 * QUEUE_BYTES / CAPOS_PAGE_SIZE;

	uint32_t receive = memory_portion(NET_RECEIVE_BUFFERS, NET_BUFFERS_LEAST);
	uint32_t transmit = memory_portion(NET_TRANSMIT_BUFFERS, NET_BUFFERS_LEAST);
	uint64_t bytes = NICQUEUE_MEMORY_SIZE(receive, transmit);
	uint32_t pages = (uint32_t)((bytes + CAPOS_PAGE_SIZE - 1) / CAPOS_PAGE_SIZE);

	result = virtio_dma_allocate(&device, pages, shared_pages, &net.memory, &shared_memory);
	if (result)
		log_fatal_error(result, "no memory for %u pages of buffers", pages);
	net.pages = shared_pages;
	net_count_buffers(&net, receive_size < receive ? receive_size : receive,
	                  transmit_size < transmit ? transmit_size : transmit);
}

static bool link_is_up(void)
{
	uint16_t status;

	/* Without the feature the link is to be taken for up (virtio 1.2, section 5.1.4). */
	if (!(device.features & FEATURE_STATUS))
		return true;
	return virtio_read_config(&device, CONFIG_STATUS, &status, sizeof(status)) == CAP_OK &&
	       (status & LINK_UP);
}

/* ---- The client ---- */

static void forget_client(void)
{
	if (wake != CAP_NULL)
		(void)cap_release(wake);
	wake = CAP_NULL;
	net_detach(&net);
}

static void wake_client(void)
{
	struct capos_sqe sqe = {.op = CAP_OP_SIGNAL, .cap = wake, .arg = wake_bits};

	/* Goes with the next entry into the kernel.  An event that is none harms its owner
	 * alone. */
	if (wake != CAP_NULL)
		(void)cap_submit_quiet(&sqe);
}

/* ---- Nic ---- */

static int serve_transmit(void *object, struct msg_call *call, const struct nic_transmit_params *in,
                          struct nic_transmit_results *out)
{
	(void)object;
	(void)call;
	switch (net_send_copy(&net, in->frame.ptr, in->frame.len)) {
	case CAP_OK:
		break;
	case CAP_EAGAIN:
		return STATUS_WOULD_BLOCK;
	default:
		return STATUS_INVALID_ARGUMENT;
	}
	out->result = MSG_TEXT("sent");
	out->reason = MSG_TEXT("the frame is in the device's transmit queue");
	out->side_effect = MSG_TEXT("one frame on the network");
	return CAP_OK;
}

static void answer_frame(void *context, const uint8_t *frame, uint32_t length)
{
	static uint64_t message[(NET_FRAME_MAX + 512) / 8];
	struct server_pending pending = waiting[0];
	struct nic_receive_results out = {
	        .frame = MSG_DATA(frame, length),
	        .observed_ethertype = (uint16_t)(frame[12] << 8 | frame[13]),
	        .result = MSG_TEXT("received"),
	        .reason = MSG_TEXT("a frame arrived"),
	        .side_effect = MSG_TEXT("none: netstack, when attached, has it too"),
	};
	struct msg_builder builder;

	(void)context;
	memmove(&waiting[0], &waiting[1], --nwaiting * sizeof(waiting[0]));
	if (nwaiting == 0)
		net.frame = NULL;
	msg_builder_init(&builder, message, sizeof(message));

	int status = nic_receive_results_write(&builder, &out);
	uint32_t size = msg_builder_length(&builder);

	if (status || size > pending.recv_len)
		status = STATUS_MESSAGE_TOO_LONG;
	server_answer(&server, pending, status, message, size, NULL, 0);
}

static int serve_receive(void *object, struct msg_call *call, struct nic_receive_results *out)
{
	(void)object;
	(void)out;
	if (nwaiting == WAITING_MAX)
		return STATUS_NO_BUFFERS;
	waiting[nwaiting++] = server_defer(server_call_of(call));
	net.frame = answer_frame;
	return MSG_DEFERRED;
}

static int serve_mac_address(void *object, struct msg_call *call,
                             struct nic_mac_address_results *out)
{
	(void)object;
	(void)call;
	out->addr = MSG_DATA(mac, sizeof(mac));
	out->result = MSG_TEXT("known");
	out->reason = MSG_TEXT("it is in the device's configuration");
	out->side_effect = MSG_TEXT("none");
	return CAP_OK;
}

static int serve_link_status(void *object, struct msg_call *call,
                             struct nic_link_status_results *out)
{
	(void)object;
	(void)call;
	out->up = link_is_up();
	out->result = out->up ? MSG_TEXT("up") : MSG_TEXT("down");
	out->reason = device.features & FEATURE_STATUS
	                      ? MSG_TEXT("the device's status register says so")
	                      : MSG_TEXT("the device does not report it, so it counts as up");
	out->side_effect = MSG_TEXT("none");
	return CAP_OK;
}

static int serve_attach(void *object, struct msg_call *call, const struct nic_attach_params *in,
                        struct nic_attach_results *out)
{
	struct server_call *c = server_call_of(call);
	cap_t event = server_take(c, in->wake_index);

	(void)object;
	if (event == CAP_NULL || in->wake_bits == 0) {
		if (event != CAP_NULL)
			(void)cap_release(event);
		return STATUS_INVALID_ARGUMENT;
	}
	forget_client();
	if (!net_attach(&net)) {
		driver_reset("the former client's frames are still being sent");
		if (!net_attach(&net))
			log_fatal("transmit buffers are held after a reset");
	}
	wake = event;
	wake_bits = in->wake_bits;

	/* COPY: to map it, the client sends it with a call. */
	int memory_at = server_give(
	        c, shared_memory,
	        CAP_RIGHT_READ | CAP_RIGHT_WRITE | CAP_RIGHT_CALL | CAP_RIGHT_COPY, false);
	int event_at = server_give(c, server.event, CAP_RIGHT_SIGNAL, false);

	if (memory_at < 0 || event_at < 0) {
		forget_client();
		return STATUS_NO_MEMORY;
	}
	*out = (struct nic_attach_results){
	        .memory_index = (uint16_t)memory_at,
	        .event_index = (uint16_t)event_at,
	        .event_bits = BIT_CLIENT,
	        .buffer_size = NICQUEUE_BUFFER_SIZE,
	        .receive_buffers = net.nreceive,
	        .transmit_buffers = net.ntransmit,
	        .mtu = NET_MTU,
	        .checksum_offload = false,
	        .mac_address = MSG_DATA(mac, sizeof(mac)),
	};
	return CAP_OK;
}

static int serve_statistics(void *object, struct msg_call *call, struct nic_statistics_results *out)
{
	(void)object;
	(void)call;
	*out = (struct nic_statistics_results){
	        .received_frames = net.statistics.received_frames,
	        .received_bytes = net.statistics.received_bytes,
	        .transmitted_frames = net.statistics.transmitted_frames,
	        .transmitted_bytes = net.statistics.transmitted_bytes,
	        .dropped = net.statistics.dropped,
	        .malformed = net.statistics.malformed,
	        .interrupts = driver_interrupts(),
	};
	return CAP_OK;
}

static const struct nic_ops nic_ops = {
        .transmit = serve_transmit,
        .receive = serve_receive,
        .mac_address = serve_mac_address,
        .link_status = serve_link_status,
        .attach = serve_attach,
        .statistics = serve_statistics,
};

/* ---- The loop ---- */

static int serve_call(struct server *s, struct server_call *call)
{
	(void)s;
	if (call->interface != NIC_INTERFACE || call->object != NIC_WORD)
		return STATUS_INVALID_ARGUMENT;
	return nic_dispatch(&nic_ops, &net, &call->msg);
}

static void serve_release(struct server *s, uint64_t object)
{
	(void)s;
	if (object != NIC_WORD || !net.attached)
		return;
	log_line("the client has ended");
	forget_client();
}

static void serve_cancel(struct server *s, uint64_t call_id)
{
	uint32_t kept = 0;

	(void)s;
	for (uint32_t i = 0; i < nwaiting; i++)
		if (waiting[i].call_id != call_id)
			waiting[kept++] = waiting[i];
	nwaiting = kept;
	if (nwaiting == 0)
		net.frame = NULL;
}

/* One round before each sleep; frames are moved here and nowhere else. */
static uint64_t serve_idle(struct server *s)
{
	uint64_t frames = net.statistics.received_frames;
	uint32_t found = net_run(&net);
	bool interrupted = driver_interrupted();

	(void)s;
	if (found & NET_WAKE_CLIENT)
		wake_client();
	if (found & NET_CLIENT_BROKEN) {
		log_line("the client's queue indices make no sense: detached");
		forget_client();
	}
	if (found & NET_DEVICE_BROKEN)
		driver_reset_after_fault("the device's used ring makes no sense");
	else if (interrupted && frames == net.statistics.received_frames &&
	         virtio_needs_reset(&device))
		/* Asked only when the interrupt brought nothing: reading a register costs a VM
		 * exit. */
		driver_reset_after_fault("the device asks for it");
	if (found & (NET_MORE | NET_DEVICE_BROKEN))
		return 0;
	return net_prepare_sleep(&net) ? 0 : CAPOS_FOREVER;
}

static void started(void)
{
	int result = virtio_read_config(&device, CONFIG_MAC, mac, sizeof(mac));

	if (result)
		log_fatal("the device does not report its address: %s", cap_error_text(result));
	log_line("%02x:%02x:%02x:%02x:%02x:%02x, link %s, %u+%u buffers, features %llx", mac[0],
	         mac[1], mac[2], mac[3], mac[4], mac[5], link_is_up() ? "up" : "down", net.nreceive,
	         net.ntransmit, (unsigned long long)device.features);
}

const struct virtio_driver virtio_driver = {
        .ops =
                {
                        .call = serve_call,
                        .release = serve_release,
                        .cancel = serve_cancel,
                        .event = driver_event,
                        .idle = serve_idle,
                        .message_max = MESSAGE_MAX,
                },
        .after_reset = "the device is reset",
        .set_up = set_up,
        .start = start_device,
        .started = started,
};

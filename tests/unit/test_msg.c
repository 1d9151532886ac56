/* SPDX-License-Identifier: MIT */
/*
 * The message codec: what generated code builds it reads back, and nothing that is read, however it
 * was damaged, leads outside the message or costs more than the message's size allows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <capos/abi.h>
#include <capos/schema/manifest.h>
#include <capos/schema/network_server.h>

#define SAMPLE_SIZE 4096

static uint32_t build_sample(void *buffer, uint32_t size, int *result)
{
	static const struct msg_text args[] = {{"--static", 8}, {"", 0}};
	static const uint16_t ids[] = {0x1041, 0x1000};
	static const struct holding holds[] = {
	        {.name = {"log", 3}, .which = HOLDING_KERNEL, .kernel = {"log", 3}},
	        {.name = {"device", 6},
	         .which = HOLDING_DEVICE,
	         .device = {.vendor = 0x1af4,
	                    .ids = {.count = 2, .items = ids},
	                    .dma_limit_pages = 77}},
	};
	static const struct export serves[] = {
	        {.name = {"nic", 3}, .interface = {"Nic", 3}, .word = UINT64_MAX}};
	static const struct service services[] = {{.name = {"virtio-net", 10},
	                                           .args = {.count = 2, .items = args},
	                                           .holds = {.count = 2, .items = holds},
	                                           .serves = {.count = 1, .items = serves},
	                                           .optional = true,
	                                           .memory_limit_pages = 1ull << 40}};
	const struct manifest manifest = {
	        .services = {.count = 1, .items = services},
	        .network = {.which = NETWORK_CONFIG_STATIC,
	                    .static_ = {.addr = {"10.0.2.15", 9}, .gateway = {"10.0.2.2", 8}},
	                    .host_name = {"capos", 5}},
	};
	struct msg_builder builder;

	msg_builder_init(&builder, buffer, size);
	*result = manifest_write(&builder, &manifest);
	return msg_builder_length(&builder);
}

/* Reads all there is; the sum keeps every byte that was reached in use. */
static int walk(const void *bytes, uint32_t length, uint64_t *sum)
{
	struct msg_reader reader;
	struct manifest m;
	int result;

	msg_reader_init(&reader, bytes, length);
	result = manifest_read(&reader, &m);
	if (result)
		return result;
	for (uint32_t i = 0; i < m.services.count; i++) {
		struct service s;

		result = service_get(&m.services, i, &s);
		if (result)
			return result;
		for (uint32_t j = 0; j < s.name.len; j++)
			*sum += (uint8_t)s.name.ptr[j];
		for (uint32_t j = 0; j < s.args.count; j++) {
			struct msg_text text;

			result = msg_list_text(&s.args, j, &text);
			if (result)
				return result;
			*sum += strlen(text.ptr);
		}
		for (uint32_t j = 0; j < s.holds.count; j++) {
			struct holding h;

			result = holding_get(&s.holds, j, &h);
			if (result)
				return result;
			for (uint32_t k = 0; h.which == HOLDING_DEVICE && k < h.device.ids.count;
			     k++) {
				uint16_t id;

				result = msg_list_u16(&h.device.ids, k, &id);
				if (result)
					return result;
				*sum += id;
			}
		}
	}
	return CAP_OK;
}

static void test_what_is_built_reads_back(void **state)
{
	uint64_t buffer[SAMPLE_SIZE / 8];
	int result;
	uint32_t length = build_sample(buffer, sizeof(buffer), &result);
	struct msg_reader reader;
	struct manifest m;
	struct service s;
	struct holding h;
	struct export e;
	uint16_t id;

	(void)state;
	assert_int_equal(result, CAP_OK);
	msg_reader_init(&reader, buffer, length);
	assert_int_equal(manifest_read(&reader, &m), CAP_OK);
	assert_int_equal(m.services.count, 1);
	assert_int_equal(m.program.count, 0);
	assert_int_equal(service_get(&m.services, 0, &s), CAP_OK);
	assert_string_equal(s.name.ptr, "virtio-net");
	assert_string_equal(s.path.ptr, "");
	assert_true(s.optional);
	assert_true(s.memory_limit_pages == 1ull << 40);
	assert_int_equal(holding_get(&s.holds, 1, &h), CAP_OK);
	assert_int_equal(h.which, HOLDING_DEVICE);
	assert_int_equal(h.device.vendor, 0x1af4);
	assert_int_equal(h.device.dma_limit_pages, 77);
	assert_int_equal(msg_list_u16(&h.device.ids, 1, &id), CAP_OK);
	assert_int_equal(id, 0x1000);
	assert_int_equal(msg_list_u16(&h.device.ids, 2, &id), CAP_EINVAL);
	assert_int_equal(export_get(&s.serves, 0, &e), CAP_OK);
	assert_true(e.word == UINT64_MAX);
	assert_int_equal(m.network.which, NETWORK_CONFIG_STATIC);
	assert_string_equal(m.network.static_.addr.ptr, "10.0.2.15");
	assert_string_equal(m.network.host_name.ptr, "capos");
}

static void test_builder_that_is_too_small_says_so_and_stays_inside(void **state)
{
	int result;
	uint64_t whole[SAMPLE_SIZE / 8];
	uint32_t length = build_sample(whole, sizeof(whole), &result);

	(void)state;
	for (uint32_t size = 0; size < length; size += 8) {
		void *exact = malloc(size ? size : 1);

		build_sample(exact, size, &result);
		assert_int_equal(result, CAP_ETOOBIG);
		free(exact);
	}
}

static void test_truncated_message_is_refused_or_read_within_bounds(void **state)
{
	int result;
	uint64_t whole[SAMPLE_SIZE / 8], sum = 0;
	uint32_t length = build_sample(whole, sizeof(whole), &result);

	(void)state;
	for (uint32_t size = 8; size < length; size += 8) {
		void *exact = malloc(size);

		memcpy(exact, whole, size);
		assert_int_equal(walk(exact, size, &sum), CAP_EMESSAGE);
		free(exact);
	}
	assert_int_equal(walk(whole, 0, &sum), CAP_OK);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void test_damaged_messages_never_lead_outside(void **state)
{
	int result;
	uint64_t whole[SAMPLE_SIZE / 8], sum = 0, random = 0x9e3779b97f4a7c15;
	uint32_t length = build_sample(whole, sizeof(whole), &result);
	uint8_t *exact = malloc(length);
	unsigned refused = 0;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		memcpy(exact, whole, length);
		for (int flips = 1 + (int)(next_random(&random) % 6); flips > 0; flips--)
			exact[next_random(&random) % length] = (uint8_t)next_random(&random);
		refused += walk(exact, length, &sum) != CAP_OK;
	}
	free(exact);
	assert_true(refused > 50000); /* the damage was real */
}

static void test_text_without_end_is_refused(void **state)
{
	/* Export.name: a list of two bytes "ab". */
	uint64_t message[] = {0x0002000100000000ull, 0, (4u | 1u) | (uint64_t)(2u << 3 | 2u) << 32,
	                      0, 0x6261};
	struct msg_reader reader;
	struct export e;

	(void)state;
	msg_reader_init(&reader, message, sizeof(message));
	assert_int_equal(export_read(&reader, &e), CAP_EMESSAGE);
	message[4] = 0x61;
	msg_reader_init(&reader, message, sizeof(message));
	assert_int_equal(export_read(&reader, &e), CAP_OK);
	assert_string_equal(e.name.ptr, "a");
}

static void test_elements_without_content_cannot_multiply_work(void **state)
{
	/* Manifest.services: a composite list that claims 2^29 elements of no words. */
	uint64_t message[] = {0x0003000000000000ull,
	                      8u | 1u | (uint64_t)7 << 32,
	                      0,
	                      0,
	                      ((1ull << 29) - 1) << 2,
	                      0};
	struct msg_reader reader;
	struct manifest m;

	(void)state;
	msg_reader_init(&reader, message, sizeof(message));
	assert_int_equal(manifest_read(&reader, &m), CAP_EMESSAGE);
}

static void test_far_pointers_are_refused(void **state)
{
	uint64_t message[] = {2, 0};
	struct msg_reader reader;
	struct manifest m;

	(void)state;
	msg_reader_init(&reader, message, sizeof(message));
	assert_int_equal(manifest_read(&reader, &m), CAP_EMESSAGE);
}

static int answer_send(void *object, struct msg_call *call, const struct tcp_socket_send_params *in,
                       struct tcp_socket_send_results *out)
{
	(void)call;
	*(uint32_t *)object = in->data.len;
	out->bytes_sent = in->data.len;
	return CAP_OK;
}

static int answer_later(void *object, struct msg_call *call,
                        const struct tcp_socket_recv_params *in,
                        struct tcp_socket_recv_results *out)
{
	(void)object, (void)call, (void)in, (void)out;
	return MSG_DEFERRED;
}

static void test_dispatch_runs_the_method_and_refuses_others(void **state)
{
	static const struct tcp_socket_ops ops = {.send = answer_send, .recv = answer_later};
	uint64_t in[16], out[16];
	uint32_t seen = 0;
	struct msg_builder builder;
	struct msg_reader reader;
	struct tcp_socket_send_results results;

	(void)state;
	msg_builder_init(&builder, in, sizeof(in));
	assert_int_equal(
	        tcp_socket_send_params_write(
	                &builder, &(struct tcp_socket_send_params){.data = MSG_DATA("hello", 5)}),
	        CAP_OK);

	struct msg_call call = {.method = TCP_SOCKET_SEND,
	                        .in = in,
	                        .in_len = msg_builder_length(&builder),
	                        .out = out,
	                        .out_size = sizeof(out)};

	assert_int_equal(tcp_socket_dispatch(&ops, &seen, &call), CAP_OK);
	assert_int_equal(seen, 5);
	msg_reader_init(&reader, out, call.out_len);
	assert_int_equal(tcp_socket_send_results_read(&reader, &results), CAP_OK);
	assert_int_equal(results.bytes_sent, 5);
	call.method = TCP_SOCKET_RECV;
	call.in_len = 0;
	assert_int_equal(tcp_socket_dispatch(&ops, &seen, &call), MSG_DEFERRED);
	call.method = TCP_SOCKET_CLOSE;
	assert_int_equal(tcp_socket_dispatch(&ops, &seen, &call), CAP_EMETHOD);
	call.method = TCP_SOCKET_METHOD_COUNT;
	assert_int_equal(tcp_socket_dispatch(&ops, &seen, &call), CAP_EMETHOD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_what_is_built_reads_back),
	        cmocka_unit_test(test_builder_that_is_too_small_says_so_and_stays_inside),
	        cmocka_unit_test(test_truncated_message_is_refused_or_read_within_bounds),
	        cmocka_unit_test(test_damaged_messages_never_lead_outside),
	        cmocka_unit_test(test_text_without_end_is_refused),
	        cmocka_unit_test(test_elements_without_content_cannot_multiply_work),
	        cmocka_unit_test(test_far_pointers_are_refused),
	        cmocka_unit_test(test_dispatch_runs_the_method_and_refuses_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * init's plan: a sound manifest becomes what it says, and each fault in one (or with a
 * request) is reported by name and never followed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <capos/schema/service.h>
#include "services/init/plan.h"

#define MESSAGE_SIZE 8192

static _Alignas(8) uint8_t message[MESSAGE_SIZE];
static struct plan plan;
static struct plan_request request;

#define TEXT(s)                    \
	{                          \
		(s), sizeof(s) - 1 \
	}
#define LIST(array)                                                           \
	{                                                                     \
		.count = sizeof(array) / sizeof((array)[0]), .items = (array) \
	}
#define KERNEL(n, k)                                                        \
	{                                                                   \
		.name = TEXT(n), .which = HOLDING_KERNEL, .kernel = TEXT(k) \
	}
#define SERVICE(n, s)                                                         \
	{                                                                     \
		.name = TEXT(n), .which = HOLDING_SERVICE, .service = TEXT(s) \
	}
#define EXPORT(n, i, w)                                            \
	{                                                          \
		.name = TEXT(n), .interface = TEXT(i), .word = (w) \
	}
#define assert_told(text, part)                                                 \
	do {                                                                    \
		if (!strstr((text), (part)))                                    \
			fail_msg("\"%s\" does not say \"%s\"", (text), (part)); \
	} while (0)

/* The standard system in small.  Tests change it before they write it. */
struct system {
	uint16_t ids[2];
	struct holding driver_holds[2], stack_holds[2], files_holds[1], program[3];
	struct export driver_serves[1], stack_serves[2], files_serves[1];
	struct msg_text driver_args[1];
	struct service services[3];
	struct manifest manifest;
};

static struct system *sample(void)
{
	static struct system s;

	s = (struct system){
	        .ids = {0x1041, 0x1000},
	        .driver_holds = {{.name = TEXT("device"),
	                          .which = HOLDING_DEVICE,
	                          .device = {.vendor = 0x1af4, .dma_limit_pages = 512}},
	                         KERNEL("log", "log")},
	        .stack_holds = {SERVICE("nic", "driver.nic"), KERNEL("timer", "timer")},
	        .files_holds = {KERNEL("boot", "boot")},
	        .program = {SERVICE("files", "files.root"), KERNEL("log", "log"),
	                    SERVICE("nic", "driver.nic")},
	        .driver_serves = {EXPORT("nic", "Nic", 1)},
	        .stack_serves = {EXPORT("network", "NetworkManager", 1),
	                         EXPORT("resolver", "DnsResolver", 2)},
	        .files_serves = {EXPORT("root", "Directory", 1)},
	        .driver_args = {TEXT("-v")},
	};
	s.driver_holds[0].device.ids = (struct msg_list)LIST(s.ids);
	s.services[0] = (struct service){.name = TEXT("driver"),
	                                 .path = TEXT("sbin/driver"),
	                                 .args = LIST(s.driver_args),
	                                 .holds = LIST(s.driver_holds),
	                                 .serves = LIST(s.driver_serves),
	                                 .optional = true};
	s.services[1] = (struct service){.name = TEXT("stack"),
	                                 .path = TEXT("sbin/stack"),
	                                 .holds = LIST(s.stack_holds),
	                                 .serves = LIST(s.stack_serves),
	                                 .optional = true,
	                                 .memory_limit_pages = 77};
	s.services[2] = (struct service){.name = TEXT("files"),
	                                 .path = TEXT("sbin/files"),
	                                 .holds = LIST(s.files_holds),
	                                 .serves = LIST(s.files_serves)};
	s.manifest = (struct manifest){
	        .services = LIST(s.services),
	        .program = LIST(s.program),
	        .network = {.which = NETWORK_CONFIG_DHCP, .host_name = TEXT("host")}};
	return &s;
}

static uint32_t write_manifest(const struct system *s)
{
	struct msg_builder b;

	msg_builder_init(&b, message, sizeof(message));
	assert_int_equal(manifest_write(&b, &s->manifest), CAP_OK);
	return msg_builder_length(&b);
}

static int read_manifest(const struct system *s)
{
	uint32_t length = write_manifest(s);

	return plan_read_manifest(&plan, message, length);
}

#define assert_refused(s, part)                                 \
	do {                                                    \
		assert_int_equal(read_manifest(s), CAP_EINVAL); \
		assert_told(plan.problem, part);                \
	} while (0)

static void test_a_sound_manifest_is_read(void **state)
{
	(void)state;
	assert_int_equal(read_manifest(sample()), CAP_OK);
	assert_string_equal(plan.problem, "");
	assert_int_equal(plan.nservices, 3);
	assert_string_equal(plan.services[0].name, "driver");
	assert_string_equal(plan.services[0].args[0], "-v");
	assert_null(plan.services[0].args[1]);
	assert_int_equal(plan.services[0].holdings[0].device.ids[1], 0x1000);
	assert_int_equal(plan.services[0].holdings[1].kernel, PLAN_KERNEL_LOG);
	assert_true(plan.services[0].exports[0].interface == NIC_INTERFACE);
	assert_int_equal(plan.services[1].holdings[0].service, 0);
	assert_int_equal(plan.services[1].memory_limit_pages, 77);
	assert_int_equal(plan.nprogram, 3);
	assert_int_equal(plan.program[0].service, 2);
}

static void test_what_is_wrong_is_named(void **state)
{
	struct system *s;

	(void)state;
	s = sample(), s->services[1].name = MSG_TEXT("driver");
	assert_refused(s, "two services named driver");
	s = sample(), s->services[1].name = MSG_TEXT("");
	assert_refused(s, "no name for a service");
	s = sample(), s->services[1].name = MSG_TEXT("a.b");
	assert_refused(s, "a.b");
	s = sample(), s->services[1].path = MSG_TEXT("/sbin/stack");
	assert_refused(s, "/sbin/stack");
	s = sample(), s->stack_holds[1].kernel = MSG_TEXT("root");
	assert_refused(s, "stack: the kernel has no capability named root");
	s = sample(), s->stack_holds[1].kernel = MSG_TEXT("devices");
	assert_refused(s, "devices");
	s = sample(), s->stack_holds[0].service = MSG_TEXT("card.nic");
	assert_refused(s, "there is no service card");
	s = sample(), s->stack_holds[0].service = MSG_TEXT("driver.disk");
	assert_refused(s, "driver exports no disk");
	s = sample(), s->stack_holds[0].service = MSG_TEXT("driver");
	assert_refused(s, "not SERVICE.EXPORT");
	s = sample(), s->stack_holds[1].name = MSG_TEXT("nic");
	assert_refused(s, "two holdings named nic");
	s = sample(), s->stack_holds[1].name = MSG_TEXT("serve");
	assert_refused(s, "serve");
	s = sample(), s->stack_serves[1].name = MSG_TEXT("network");
	assert_refused(s, "two exports named network");
	s = sample(), s->stack_serves[1].interface = MSG_TEXT("Printer");
	assert_refused(s, "unknown interface Printer");
	s = sample(), s->driver_holds[0].device.ids.count = 0;
	assert_refused(s, "device ids");
	s = sample(), s->program[0].service = MSG_TEXT("files.attic");
	assert_refused(s, "program: files.attic");
	s = sample(), s->stack_holds[1].name = (struct msg_text){"a\0b", 3};
	assert_refused(s, "stack: holding 1 is malformed");
}

static void test_tables_that_are_too_small_are_told(void **state)
{
	static struct holding many[PLAN_HOLDINGS_MAX + 1];
	static char names[PLAN_HOLDINGS_MAX + 1][4];
	struct system *s = sample();

	(void)state;
	for (int i = 0; i <= PLAN_HOLDINGS_MAX; i++) {
		names[i][0] = (char)('a' + i);
		many[i] = (struct holding){
		        .name = MSG_TEXT(names[i]), .which = HOLDING_KERNEL, .kernel = TEXT("log")};
	}
	s->services[1].holds = (struct msg_list)LIST(many);
	assert_refused(s, "more than 13 holdings");
	many[0] = s->driver_holds[0];
	s->services[1].holds.count = PLAN_HOLDINGS_MAX;
	assert_refused(s, "more than 13 capabilities");
	s = sample();
	s->manifest.program = (struct msg_list)LIST(many);
	s->manifest.program.count = PLAN_HOLDINGS_MAX;
	assert_refused(s, "program: more than");
}

/* ---- Against a machine ---- */

static _Alignas(8) uint8_t boot[16 * CAPOS_PAGE_SIZE];
static struct archive archive;

struct file {
	const char *name;
	const void *data;
	uint32_t size, mode, type;
};

static void make_archive(const struct file *files, uint32_t n)
{
	struct capos_archive_header *h = (void *)boot;
	struct capos_archive_entry *e = (void *)(boot + sizeof(*h));
	uint64_t offset = 4 * CAPOS_PAGE_SIZE;

	memset(boot, 0, sizeof(boot));
	for (uint32_t i = 0; i < n; i++) {
		e[i] = (struct capos_archive_entry){
		        .offset = offset,
		        .size = files[i].size,
		        .mode = files[i].mode,
		        .type = files[i].type ? files[i].type : CAPOS_ARCHIVE_FILE,
		        .crc = archive_crc32(0, files[i].data, files[i].size)};
		strcpy(e[i].name, files[i].name);
		memcpy(boot + offset, files[i].data, files[i].size);
		offset += CAPOS_PAGE_SIZE;
	}
	assert_true(offset <= sizeof(boot));
	*h = (struct capos_archive_header){.magic = CAPOS_ARCHIVE_MAGIC,
	                                   .version = CAPOS_ARCHIVE_VERSION,
	                                   .count = n,
	                                   .total_size = sizeof(boot),
	                                   .checksum = archive_crc32(0, e, n * sizeof(*e))};
	assert_int_equal(archive_open(&archive, boot, sizeof(boot), NULL), CAP_OK);
}

static const struct file binaries[] = {
        {"sbin/driver", "driver", 6, 0755, 0},
        {"sbin/stack", "stack", 5, 0755, 0},
        {"sbin/files", "files", 5, 0755, 0},
};
static const struct pci_device devices[] = {
        {.address = 0x08, .vendor = 0x1af4, .device = 0x1043},
        {.address = 0x10, .vendor = 0x8086, .device = 0x1041},
        {.address = 0x18, .vendor = 0x1af4, .device = 0x1000},
        {.address = 0x20, .vendor = 0x1af4, .device = 0x1041},
};

static void test_the_system_is_resolved(void **state)
{
	uint32_t service, export;

	(void)state;
	make_archive(binaries, 3);
	assert_int_equal(read_manifest(sample()), CAP_OK);
	assert_int_equal(plan_resolve(&plan, &archive, devices, 4), CAP_OK);
	for (int i = 0; i < 3; i++)
		assert_true(plan.services[i].enabled);
	assert_int_equal(plan.services[0].holdings[0].device.address, 0x18);
	assert_memory_equal(plan.services[1].image.data, "stack", 5);
	assert_false(plan.program[2].missing);
	assert_true(plan_find_export(&plan, DNS_RESOLVER_INTERFACE, NULL, &service, &export));
	assert_int_equal(service, 1);
	assert_int_equal(export, 1);
	assert_false(plan_find_export(&plan, BYTE_STREAM_INTERFACE, NULL, &service, &export));

	struct system *s = sample();
	s->driver_holds[0].device.index = 1;
	assert_int_equal(read_manifest(s), CAP_OK);
	assert_int_equal(plan_resolve(&plan, &archive, devices, 4), CAP_OK);
	assert_int_equal(plan.services[0].holdings[0].device.address, 0x20);
}

static void test_without_its_device_an_optional_service_and_its_users_stay_out(void **state)
{
	uint32_t service, export;

	(void)state;
	make_archive(binaries, 3);
	assert_int_equal(read_manifest(sample()), CAP_OK);
	assert_int_equal(plan_resolve(&plan, &archive, devices, 2), CAP_OK);
	assert_false(plan.services[0].enabled);
	assert_false(plan.services[1].enabled);
	assert_true(plan.services[2].enabled);
	assert_true(plan.program[2].missing);
	assert_false(plan.program[0].missing);
	assert_false(plan_find_export(&plan, NETWORK_MANAGER_INTERFACE, NULL, &service, &export));
}

static void test_what_must_be_there_and_is_not_is_named(void **state)
{
	struct system *s = sample();

	(void)state;
	s->services[0].optional = false;
	make_archive(binaries, 3);
	assert_int_equal(read_manifest(s), CAP_OK);
	assert_int_equal(plan_resolve(&plan, &archive, devices, 2), CAP_EINVAL);
	assert_told(plan.problem, "service driver: there is no device 1af4:1041");

	make_archive(binaries, 2);
	assert_int_equal(read_manifest(sample()), CAP_OK);
	assert_int_equal(plan_resolve(&plan, &archive, devices, 4), CAP_EINVAL);
	assert_told(plan.problem, "sbin/files is not in the boot archive");
	assert_true(plan.services[0].enabled); /* the rest may still be started, to tell it */

	make_archive(binaries, 3);
	boot[5 * CAPOS_PAGE_SIZE] ^= 1;
	assert_int_equal(read_manifest(sample()), CAP_OK);
	assert_int_equal(plan_resolve(&plan, &archive, devices, 4), CAP_EINVAL);
	assert_told(plan.problem, "sbin/stack is corrupt");
}

static void test_damaged_manifests_never_lead_outside(void **state)
{
	uint32_t length = write_manifest(sample());
	uint8_t *exact = malloc(length), whole[MESSAGE_SIZE];
	unsigned seed = 9, refused = 0;

	(void)state;
	memcpy(whole, message, length);
	make_archive(binaries, 3);
	for (int round = 0; round < 50000; round++) {
		memcpy(exact, whole, length);
		for (int flips = 1 + round % 4; flips; flips--) {
			seed = seed * 1103515245 + 12345;
			exact[(seed >> 12) % length] = (uint8_t)(seed >> 4);
		}
		refused += plan_read_manifest(&plan, exact, length) != CAP_OK;
		plan_resolve(&plan, &archive, devices, 4);
	}
	assert_true(refused > 10000);
	for (uint32_t size = 0; size < length; size++) {
		void *cut = malloc(size ? size : 1);

		memcpy(cut, whole, size);
		assert_int_equal(plan_read_manifest(&plan, cut, size), CAP_EINVAL);
		free(cut);
	}
	free(exact);
}

static void test_the_networks_configuration_becomes_arguments(void **state)
{
	static const struct msg_text servers[] = {TEXT("1.1.1.1"), TEXT("2.2.2.2")};
	static const char *const expected[] = {"-v",
	                                       "config=static",
	                                       "address=10.0.0.2",
	                                       "netmask=255.0.0.0",
	                                       "gateway=10.0.0.1",
	                                       "nameserver=1.1.1.1",
	                                       "nameserver=2.2.2.2",
	                                       "hostname=h"};
	struct system *s = sample();
	char text[512];

	(void)state;
	s->manifest.network = (struct network_config){
	        .which = NETWORK_CONFIG_STATIC,
	        .static_ = {TEXT("10.0.0.2"), TEXT("255.0.0.0"), TEXT("10.0.0.1"), LIST(servers)},
	        .host_name = TEXT("h")};
	assert_int_equal(read_manifest(s), CAP_OK);
	assert_int_equal(
	        plan_network_arguments(&plan.services[0], &plan.network, text, sizeof(text)),
	        CAP_OK);
	assert_int_equal(plan.services[0].nargs, 8);
	for (int i = 0; i < 8; i++)
		assert_string_equal(plan.services[0].args[i], expected[i]);
	assert_null(plan.services[0].args[8]);
	assert_int_equal(plan_network_arguments(&plan.services[1], &plan.network, text, 40),
	                 CAP_ETOOBIG);
	plan.network.which = 9;
	assert_int_equal(plan_network_arguments(&plan.services[1], &plan.network, text, 40),
	                 CAP_EMESSAGE);
}

/* ---- Requests ---- */

static const struct msg_text wget[] = {TEXT("wget"), TEXT("-O-")};
static const struct msg_text env[] = {TEXT("A=b")};

static int read_request(const struct program_request *r)
{
	struct msg_builder b;

	msg_builder_init(&b, message, sizeof(message));
	assert_int_equal(program_request_write(&b, r), CAP_OK);
	return plan_read_request(&request, message, msg_builder_length(&b));
}

static void test_a_sound_request_is_read(void **state)
{
	static const struct network_grant grants[] = {
	        {.which = NETWORK_GRANT_CONNECT, .connect = {TEXT("example.org"), 80}},
	        {.which = NETWORK_GRANT_LISTEN, .listen = 8080},
	        {.which = NETWORK_GRANT_ICMP},
	};
	struct program_request r = {.args = LIST(wget), .env = LIST(env), .grants = LIST(grants)};

	(void)state;
	assert_int_equal(read_request(&r), CAP_OK);
	assert_string_equal(request.args[1], "-O-");
	assert_null(request.args[2]);
	assert_string_equal(request.env[0], "A=b");
	assert_int_equal(request.ngrants, 3);
	assert_string_equal(request.grants[0].connect.host.ptr, "example.org");
	assert_false(request.resolve);
	r.ordinary_network = true;
	assert_int_equal(read_request(&r), CAP_OK);
	assert_true(request.resolve);
	assert_int_equal(request.ngrants, 1);
	assert_int_equal(request.grants[0].which, NETWORK_GRANT_ALL);
	r = (struct program_request){.list_capabilities = true};
	assert_int_equal(read_request(&r), CAP_OK);
}

#define assert_request_refused(r, part)                        \
	do {                                                   \
		assert_int_equal(read_request(r), CAP_EINVAL); \
		assert_told(request.problem, part);            \
	} while (0)

static void test_an_unsound_request_is_refused(void **state)
{
	static const struct msg_text empty[] = {TEXT("")}, bad_env[] = {TEXT("NOVALUE")};
	struct network_grant grant = {.which = NETWORK_GRANT_LISTEN};
	struct program_request r = {.env = LIST(env)};

	(void)state;
	assert_request_refused(&r, "names no program");
	r.args = (struct msg_list)LIST(empty);
	assert_request_refused(&r, "names no program");
	r.args = (struct msg_list)LIST(wget);
	r.env = (struct msg_list)LIST(bad_env);
	assert_request_refused(&r, "NOVALUE");
	r.env.count = 0;
	r.grants = (struct msg_list){.count = 1, .items = &grant};
	assert_request_refused(&r, "grant 0: listen needs a port");
	grant = (struct network_grant){.which = NETWORK_GRANT_CONNECT};
	assert_request_refused(&r, "grant 0: connect needs a host");
}

static void test_an_unknown_grant_is_refused(void **state)
{
	/* The builder refuses to write one, so the discriminant is changed in the message: the only
	 * 16 bits in it that hold NETWORK_GRANT_ICMP. */
	struct network_grant grant = {.which = NETWORK_GRANT_ICMP};
	struct program_request r = {.args = LIST(wget), .grants = {.count = 1, .items = &grant}};
	unsigned refused = 0;
	uint32_t length;

	(void)state;
	assert_int_equal(read_request(&r), CAP_OK);
	length = MESSAGE_SIZE / 8;
	for (uint32_t i = 0; i + 2 <= length; i += 2) {
		if (message[i] != NETWORK_GRANT_ICMP || message[i + 1])
			continue;
		message[i] = 17;
		if (plan_read_request(&request, message, length) != CAP_OK &&
		    strstr(request.problem, "grant 0 is of unknown kind 17"))
			refused++;
		message[i] = NETWORK_GRANT_ICMP;
	}
	assert_int_equal(refused, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_sound_manifest_is_read),
	        cmocka_unit_test(test_what_is_wrong_is_named),
	        cmocka_unit_test(test_tables_that_are_too_small_are_told),
	        cmocka_unit_test(test_the_system_is_resolved),
	        cmocka_unit_test(
	                test_without_its_device_an_optional_service_and_its_users_stay_out),
	        cmocka_unit_test(test_what_must_be_there_and_is_not_is_named),
	        cmocka_unit_test(test_damaged_manifests_never_lead_outside),
	        cmocka_unit_test(test_the_networks_configuration_becomes_arguments),
	        cmocka_unit_test(test_a_sound_request_is_read),
	        cmocka_unit_test(test_an_unsound_request_is_refused),
	        cmocka_unit_test(test_an_unknown_grant_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

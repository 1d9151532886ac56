/* SPDX-License-Identifier: MIT */
/*
 * Processes that call the files service, netstack and the resolver with anything at all, give up
 * before they are answered, hold what they got, and are killed.  Meanwhile another program is
 * served, and afterwards by the same processes of the services.
 *
 * service_fuzz [SEED]; "service_fuzz many" makes more files than one program may have.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <capos/cap.h>
#include <capos/schema/kernel.h>
#include <capos/schema/network.h>
#include <capos/schema/service_client.h>
#include <capos/schema/status.h>
#include <capos/start.h>

#include "posix_tap.h"

#define CALLS    2000 /* of each process */
#define WORKERS  4
#define ROUNDS   3
#define HELD     40
#define PATIENCE 5.0 /* seconds that an honest program may wait while all of them call */

static const struct {
	uint64_t interface;
	uint16_t methods;
} kinds[] = {
        {DIRECTORY_INTERFACE, DIRECTORY_METHOD_COUNT},
        {FILE_INTERFACE, FILE_METHOD_COUNT},
        {WATCHER_INTERFACE, WATCHER_METHOD_COUNT},
        {LOCK_OWNER_INTERFACE, LOCK_OWNER_METHOD_COUNT},
        {NETWORK_MANAGER_INTERFACE, NETWORK_MANAGER_METHOD_COUNT},
        {TCP_SOCKET_INTERFACE, TCP_SOCKET_METHOD_COUNT},
        {UDP_SOCKET_INTERFACE, UDP_SOCKET_METHOD_COUNT},
        {RAW_SOCKET_INTERFACE, RAW_SOCKET_METHOD_COUNT},
        {TCP_LISTENER_INTERFACE, TCP_LISTENER_METHOD_COUNT},
        {TCP_LISTEN_AUTHORITY_INTERFACE, TCP_LISTEN_AUTHORITY_METHOD_COUNT},
        {TCP_CONNECT_AUTHORITY_INTERFACE, TCP_CONNECT_AUTHORITY_METHOD_COUNT},
        {DNS_RESOLVER_INTERFACE, DNS_RESOLVER_METHOD_COUNT},
};
#define KINDS     (sizeof(kinds) / sizeof(kinds[0]))
#define FROM_FILE 4u /* kinds of the files service */

static const char *const servers[] = {"files", "network", "resolver"};
static const uint64_t served[] = {DIRECTORY_INTERFACE, NETWORK_MANAGER_INTERFACE,
                                  DNS_RESOLVER_INTERFACE};
#define SERVERS 3u

/* The servers, an event, an account, an object that nobody serves; then what they gave. */
#define OWN 6u
static cap_t held[HELD];
static unsigned kind_of[HELD];
static uint64_t buffer[2048];
static unsigned long seed = 1;
static volatile struct shared {
	unsigned answered[KINDS];
} * shared;

static uint32_t draw(uint32_t below)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (uint32_t)((seed >> 33) * below >> 31);
}

static uint64_t draw_word(void)
{
	static const uint64_t known[] = {0,          1,          2,          3,
	                                 4095,       4096,       61440,      UINT32_MAX,
	                                 UINT64_MAX, INT64_MAX,  1ull << 63, 0x0001000000000000,
	                                 1ull << 46, 0xffffffff, 0xfff,      80};

	return draw(3) ? known[draw(16)] : (uint64_t)draw(1u << 24) << draw(40);
}

static void keep(cap_t cap, unsigned kind)
{
	uint32_t place = OWN + draw(HELD - OWN);

	cap_release(held[place]);
	held[place] = cap;
	kind_of[place] = kind;
}

static struct msg_text draw_text(void)
{
	static char path[4200];
	static const char *const known[] = {"/",          ".",           "",       "/tmp",
	                                    "/tmp/../..", "/etc/passwd", "/proc",  "/bin/busybox",
	                                    "localhost",  "10.0.2.2",    "no.such"};
	int length;

	switch (draw(6)) {
	case 0:
		length = draw(2) ? (int)draw(300) : (int)draw(sizeof(path));
		memset(path, draw(2) ? '/' : 'a', (size_t)length);
		break;
	case 1:
		strcpy(path, known[draw(11)]);
		length = (int)strlen(path);
		break;
	default:
		length = snprintf(path, sizeof(path), "/tmp/fuzz/%u%s", draw(12),
		                  draw(3) ? "" : "/3");
	}
	return (struct msg_text){path, (uint32_t)length};
}

static struct msg_data draw_data(void)
{
	static uint8_t bytes[4096];
	static const uint32_t lengths[] = {0, 4, 4, 4, 16, 5, 100, 4096};

	bytes[0] = 127;
	bytes[3] = 1;
	return (struct msg_data){bytes, lengths[draw(8)]};
}

static uint32_t build(unsigned kind)
{
	struct msg_builder b;
	struct msg_slot root;

	msg_builder_init(&b, buffer, sizeof(buffer));
	msg_write_root(&b, 6, 2, &root);
	for (uint32_t i = 0; i < 6; i++)
		msg_set_bits(&root, i * 64, 64,
		             draw(3) ? draw_word() : draw_word() | draw_word() << 32);
	for (uint16_t i = 0; i < 2; i++) {
		if (kind < FROM_FILE ? draw(8) : !draw(3))
			msg_set_text(&root, i, draw_text());
		else if (draw(6))
			msg_set_data(&root, i, draw_data());
	}
	if (!draw(12)) /* its pointers, or the size of its parts */
		buffer[draw(10)] = draw_word();
	return msg_builder_length(&b);
}

/* What the first capability of an answer is. */
static const struct {
	uint64_t interface;
	uint16_t method;
	uint64_t gives;
} makers[] = {
        {DIRECTORY_INTERFACE, DIRECTORY_SUBDIRECTORY, DIRECTORY_INTERFACE},
        {DIRECTORY_INTERFACE, DIRECTORY_LOCK_OWNER, LOCK_OWNER_INTERFACE},
        {DIRECTORY_INTERFACE, DIRECTORY_MAKE_WATCHER, WATCHER_INTERFACE},
        {NETWORK_MANAGER_INTERFACE, NETWORK_MANAGER_RESTRICT, NETWORK_MANAGER_INTERFACE},
        {NETWORK_MANAGER_INTERFACE, NETWORK_MANAGER_OPEN_TCP, TCP_SOCKET_INTERFACE},
        {NETWORK_MANAGER_INTERFACE, NETWORK_MANAGER_CONNECT_TCP, TCP_SOCKET_INTERFACE},
        {NETWORK_MANAGER_INTERFACE, NETWORK_MANAGER_OPEN_UDP, UDP_SOCKET_INTERFACE},
        {NETWORK_MANAGER_INTERFACE, NETWORK_MANAGER_CREATE_UDP_SOCKET, UDP_SOCKET_INTERFACE},
        {NETWORK_MANAGER_INTERFACE, NETWORK_MANAGER_OPEN_ICMP, RAW_SOCKET_INTERFACE},
        {NETWORK_MANAGER_INTERFACE, NETWORK_MANAGER_CREATE_TCP_LISTENER, TCP_LISTENER_INTERFACE},
        {NETWORK_MANAGER_INTERFACE, NETWORK_MANAGER_LISTEN_AUTHORITY,
         TCP_LISTEN_AUTHORITY_INTERFACE},
        {NETWORK_MANAGER_INTERFACE, NETWORK_MANAGER_CONNECT_AUTHORITY,
         TCP_CONNECT_AUTHORITY_INTERFACE},
        {TCP_LISTEN_AUTHORITY_INTERFACE, TCP_LISTEN_AUTHORITY_LISTEN, TCP_LISTENER_INTERFACE},
        {TCP_CONNECT_AUTHORITY_INTERFACE, TCP_CONNECT_AUTHORITY_OPEN, TCP_SOCKET_INTERFACE},
        {TCP_SOCKET_INTERFACE, TCP_SOCKET_ACCEPT, TCP_SOCKET_INTERFACE},
};

static unsigned kind_given(uint64_t interface, uint16_t method)
{
	uint64_t gives = draw(3) ? FILE_INTERFACE : DIRECTORY_INTERFACE;

	for (unsigned i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
		if (makers[i].interface == interface && makers[i].method == method)
			gives = makers[i].gives;
	for (unsigned k = 0; k < KINDS; k++)
		if (kinds[k].interface == gives)
			return k;
	return 0;
}

static void call_something(void)
{
	struct capos_send_cap send[2];
	uint32_t place = draw(5) ? draw(HELD) : draw(SERVERS - 1), length;
	struct capos_call call = {.send_caps = send,
	                          .send_ncaps = draw(3),
	                          .buffer = buffer,
	                          .size = draw(10) ? sizeof(buffer) : 8 * draw(8),
	                          .timeout_ns = draw(3) ? 3000000 : draw(200000)};
	unsigned kind = draw(12) ? kind_of[place] : draw(KINDS);
	uint16_t method = (uint16_t)draw(kinds[kind].methods + (draw(20) ? 0u : 2u));

	for (unsigned i = 0; i < 2; i++)
		send[i] = (struct capos_send_cap){
		        .cap = draw(6) ? held[draw(2) ? SERVERS : SERVERS + 1] : held[draw(HELD)],
		        .rights = draw(6) ? CAP_RIGHTS_ALL : (uint32_t)draw_word()};
	length = build(kind);
	if (cap_call(held[place], kinds[kind].interface, method, length, &call, &length))
		return;
	__atomic_fetch_add(&shared->answered[kind], 1, __ATOMIC_RELAXED);
	if (call.ncaps > 0)
		keep(call.caps[0], kind_given(kinds[kind].interface, method));
	for (uint32_t i = 1; i < call.ncaps; i++)
		cap_release(call.caps[i]);
}

static void begin(void)
{
	cap_t endpoint;

	for (unsigned i = 0; i < SERVERS; i++) {
		cap_copy(start_cap(servers[i]), CAP_RIGHTS_ALL, &held[i]);
		for (unsigned k = 0; k < KINDS; k++)
			kind_of[i] = kinds[k].interface == served[i] ? k : kind_of[i];
	}
	cap_event_create(&held[SERVERS]);
	cap_account(&held[SERVERS + 1]);
	cap_endpoint_create(&endpoint);
	cap_mint(endpoint, DIRECTORY_INTERFACE, 1, &held[SERVERS + 2]);
}

static pid_t start(unsigned long with)
{
	pid_t child = fork();

	if (child)
		return child;
	seed = with * 0x9e3779b97f4a7c15ul + 1;
	begin();
	for (int i = 0; i < CALLS; i++)
		call_something();
	_exit(0);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool is_served(void)
{
	char byte = 0;
	int fd = open("/tmp/honest", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	bool well = fd >= 0 && write(fd, "x", 1) == 1 && pread(fd, &byte, 1, 0) == 1 &&
	            byte == 'x' && !unlink("/tmp/honest");

	close(fd);
	if (udp >= 0)
		close(udp);
	return well;
}

static double watch(pid_t *children, bool *well)
{
	double longest = 0, begun;
	int left = WORKERS;

	while (left > 0) {
		begun = now();
		*well &= is_served();
		longest = now() - begun > longest ? now() - begun : longest;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			left--;
		usleep(20000);
		if (rand() % 60 == 0) /* with what it holds, and in the middle of a call */
			kill(children[rand() % WORKERS], SIGKILL);
	}
	return longest;
}

/* ---- What an offered file gives ---- */

static cap_t subdirectory(cap_t directory, const char *path)
{
	const struct directory_subdirectory_params in = {.path = MSG_TEXT(path)};
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};

	return directory_subdirectory(directory, &in, NULL, &call) ? CAP_NULL : call.caps[0];
}

static cap_t open_file(const char *path, uint32_t flags)
{
	const struct directory_open_params in = {.path = MSG_TEXT(path), .flags = flags};
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};

	return directory_open(start_cap("files"), &in, NULL, &call) ? CAP_NULL : call.caps[0];
}

static int name_it(cap_t file, cap_t directory, const char *path)
{
	const struct file_offer_params offer = {.key = 5};
	const struct directory_link_file_params in = {.key = 5, .path = MSG_TEXT(path)};

	return file_offer(file, &offer, NULL) ? -1 : directory_link_file(directory, &in, NULL);
}

/* Who holds a File to read it, and a Directory elsewhere, does not get to store to it. */
static void a_name_gives_no_rights(void)
{
	cap_t box, readable, writable;

	close(open("/tmp/secret", O_RDWR | O_CREAT, 0600));
	mkdir("/tmp/box", 0700);
	box = subdirectory(start_cap("files"), "/tmp/box");
	readable = open_file("/tmp/secret", OPEN_READ);
	writable = open_file("/tmp/secret", OPEN_READ | OPEN_WRITE);
	ok(name_it(readable, box, "one") == STATUS_NOT_PERMITTED,
	   "a file that is open to be read gets no name where it could not be opened");
	ok(name_it(writable, box, "two") == STATUS_OK, "one that is open to write does");
	ok(name_it(readable, start_cap("files"), "/tmp/box/three") == STATUS_OK,
	   "and so does the other where it could");
	cap_release(readable);
	cap_release(writable);
	cap_release(box);
	unlink("/tmp/secret");
	(void)!system("rm -r /tmp/box");
}

/* ---- What one program keeps the files service from having for others ---- */

#define MANY 65536

static cap_t make_file(cap_t directory, const char *name)
{
	const struct directory_open_params in = {.path = MSG_TEXT(name),
	                                         .flags = OPEN_READ | OPEN_WRITE | OPEN_CREATE |
	                                                  OPEN_EXCLUSIVE,
	                                         .mode = 0600};
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};

	return directory_open(directory, &in, NULL, &call) ? CAP_NULL : call.caps[0];
}

/* More files with something in them than the service keeps for one program.  Returns how many could
 * be written. */
static int write_files(cap_t directory)
{
	const struct file_truncate_params longer = {.size = 1};
	char name[16];
	int n = 0, status = 0;

	for (; n <= MANY && !status; n++) {
		snprintf(name, sizeof(name), "%d", n);
		cap_t file = make_file(directory, name);
		status = file ? file_truncate(file, &longer, NULL) : -1;
		cap_release(file);
	}
	return status == STATUS_NO_SPACE ? n - 1 : -1;
}

static void many_files_leave_room_for_others(void)
{
	cap_t box, file;

	mkdir("/tmp/box", 0700);
	box = subdirectory(start_cap("files"), "/tmp/box");
	ok(write_files(box) > MANY / 2, "one program's files are so many");
	file = make_file(box, "empty");
	ok(file != CAP_NULL, "and the service has room for more than these");
	cap_release(file);
	cap_release(box);
}

int main(int argc, char **argv)
{
	uint64_t before[SERVERS], after[SERVERS];
	double longest = 0, one;
	bool well = true, same = true;
	unsigned long first = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	pid_t children[WORKERS];

	start_init((const uint64_t *)argv - 1);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	if (argc > 1 && !strcmp(argv[1], "many")) {
		many_files_leave_room_for_others();
		return tap_finish();
	}
	a_name_gives_no_rights();
	mkdir("/tmp/fuzz", 0700);
	for (unsigned i = 0; i < SERVERS; i++)
		if (cap_test(start_cap(servers[i]), &before[i]))
			before[i] = 0;
	for (unsigned long round = 0; round < ROUNDS; round++) {
		printf("# seeds %lu to %lu\n", first, first + WORKERS - 1);
		for (unsigned i = 0; i < WORKERS; i++)
			children[i] = start(first++);
		one = watch(children, &well);
		longest = one > longest ? one : longest;
	}
	printf("# longest wait %.3f s; answered:", longest);
	for (unsigned k = 0; k < KINDS; k++)
		printf(" %u", shared->answered[k]);
	printf("\n");
	ok(well, "files are written and read all the time");
	ok(longest < PATIENCE, "in time");
	for (unsigned i = 0; i < SERVERS; i++) {
		if (before[i] &&
		    (cap_test(start_cap(servers[i]), &after[i]) || after[i] != before[i])) {
			printf("# %s ended\n", servers[i]);
			same = false;
		}
	}
	ok(same, "by the same processes of the services as before");
	return tap_finish();
}

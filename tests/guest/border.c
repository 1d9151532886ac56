/* SPDX-License-Identifier: MIT */
/*
 * A process that user 0 made and that has become another user calls services by the capabilities
 * that it still has: it gets no more than by system calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <capos/cap.h>
#include <capos/object.h>
#include <capos/schema/process_client.h>
#include <capos/schema/service_client.h>
#include <capos/schema/status.h>
#include <capos/schema/terminal_client.h>
#include <capos/start.h>

#include "posix_tap.h"

#define USER   4242
#define PLACE  "/tmp/border.d"
#define SECRET PLACE "/secret"
#define OTHERS PLACE "/others"
#define SOCKET PLACE "/socket"
#define RUN    PLACE "/run"    /* to be executed, and not to be read */
#define HIDDEN PLACE "/hidden" /* to be searched, and not to be read */
#define LOCKED PLACE "/locked" /* to be read, and not to be searched */
#define OWN    "/tmp/border.own"

static uint64_t buffer[256];
#define CALL() ((struct capos_call){.buffer = buffer, .size = sizeof(buffer)})

static volatile sig_atomic_t came; /* signals that this process was sent */

static void note(int signal)
{
	(void)signal;
	came++;
}

/* ---- Signals ---- */

/* By whatever is an event of those among the first places. */
static int signal_all_events(void)
{
	int signalled = 0;

	for (uint32_t index = 1; index < 128; index++)
		for (uint64_t generation = 1; generation < 64; generation++)
			signalled += !cap_signal(CAP_ID(index, generation), 1u << (SIGUSR2 - 1));
	return signalled;
}

static void signals_by_other_ways(void)
{
	const struct process_world_signal_params first = {.signal = SIGUSR1};
	const struct process_world_signal_params front = {.signal = SIGUSR1, .foreground = true};
	struct capos_call call = CALL();

	ok(kill(getppid(), SIGUSR1) == -1 && errno == EPERM, "kill of another user's is refused");
	ok(signal_all_events() > 0, "all events that it has are signalled");
	ok(process_world_signal(start_cap("world"), &first, &call) == STATUS_NOT_PERMITTED,
	   "the first process is signalled from outside alone");
	call = CALL();
	ok(process_world_signal(start_cap("world"), &front, &call) == STATUS_NOT_PERMITTED,
	   "so is the foreground group");
}

/* ---- Members ---- */

/* Among the first capabilities that a process has. */
static cap_t find_member(void)
{
	for (uint32_t index = 2; index < 128; index++) {
		for (uint64_t generation = 1; generation < 64; generation++) {
			struct process_member_death_signal_results signal;
			struct capos_call call = CALL();
			cap_t cap = CAP_ID(index, generation);

			if (!process_member_death_signal(cap, &signal, &call))
				return cap;
		}
	}
	return CAP_NULL;
}

static int enroll_as(cap_t process)
{
	const struct process_world_enroll_params params = {.signals_index = 1};
	struct process_world_enroll_results results;
	struct capos_send_cap send[2] = {{.cap = process, .rights = CAP_RIGHTS_ALL}};
	struct capos_call call = CALL();
	cap_t event;
	int result = cap_event_create(&event);

	send[1] = (struct capos_send_cap){.cap = event, .rights = CAP_RIGHT_SIGNAL};
	call.send_caps = send;
	call.send_ncaps = 2;
	if (!result)
		result = process_world_enroll(start_cap("world"), &params, &results, &call);
	cap_release(event);
	return result;
}

static _Noreturn void idle(void)
{
	for (;;)
		__asm__ volatile("pause");
}

static void members_once_and_as_oneself(void)
{
	static _Alignas(16) uint8_t stack[4096];
	cap_t other = CAP_NULL;

	ok(enroll_as(CAP_SELF) == STATUS_EXISTS, "a member does not become another one");
	ok(!cap_process_fork((uint64_t)idle, (uint64_t)(stack + sizeof(stack)), CAP_NULL, 0,
	                     &other),
	   "it makes a process that nobody knows");
	ok(enroll_as(other) != 0, "and is no member as that one");
	cap_process_kill(other, 0);
	cap_release(other);
}

/* ---- Files ---- */

static cap_t open_file(const char *path, uint32_t flags)
{
	const struct directory_open_params params = {.path = MSG_TEXT(path), .flags = flags};
	struct directory_open_results results;
	struct capos_call call = CALL();

	return directory_open(start_cap("files"), &params, &results, &call) || !call.ncaps
	               ? CAP_NULL
	               : call.caps[0];
}

static int lock(cap_t file, enum lock_kind kind, enum lock_type type)
{
	const struct file_lock_params params = {.kind = kind, .type = type};
	struct capos_call call = CALL();

	return file_lock(file, &params, &call);
}

static void locks_of_others(void)
{
	cap_t secret = open_file(SECRET, 0), others = open_file(OTHERS, OPEN_READ);

	ok(secret && others, "a file is found, another one read");
	ok(open_file(SECRET, OPEN_READ) == CAP_NULL, "the one is not to be read");
	ok(lock(secret, LOCK_KIND_WHOLE, LOCK_TYPE_WRITE) == STATUS_ACCESS_DENIED &&
	           lock(secret, LOCK_KIND_WHOLE, LOCK_TYPE_READ) == STATUS_ACCESS_DENIED,
	   "who may not open a file does not lock it");
	ok(lock(secret, LOCK_KIND_DESCRIPTION, LOCK_TYPE_READ) == STATUS_ACCESS_DENIED,
	   "nor a range of it");
	ok(lock(others, LOCK_KIND_DESCRIPTION, LOCK_TYPE_WRITE) == STATUS_ACCESS_DENIED,
	   "who reads it keeps no reader out");
	ok(!lock(others, LOCK_KIND_DESCRIPTION, LOCK_TYPE_READ) &&
	           !lock(others, LOCK_KIND_WHOLE, LOCK_TYPE_WRITE),
	   "but has the locks that fcntl and flock give");
	cap_release(secret);
	cap_release(others);
}

static void sockets_of_others(void)
{
	cap_t place = open_file(SOCKET, 0);

	ok(place && open_file(SOCKET, OPEN_READ) == CAP_NULL,
	   "a socket that one may not write to is not opened to read either");
	cap_release(place);
}

/* Its directory in the volume; CAP_NULL: none. */
static cap_t find_volume(const char *path)
{
	const struct directory_follow_params params = {.path = {path, (uint32_t)strlen(path)}};
	struct directory_follow_results results;
	struct capos_call call = CALL();

	return directory_follow(start_cap("files"), &params, &results, &call) || !call.ncaps
	               ? CAP_NULL
	               : call.caps[0];
}

static int share(cap_t file, cap_t memory)
{
	const struct file_share_params params = {.memory_index = 0};
	struct file_share_results results;
	struct capos_send_cap send = {.cap = memory, .rights = CAP_RIGHTS_ALL};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};

	return file_share(file, &params, &results, &call);
}

/* Of a FIFO of all users, in a volume: whoever opens it first makes the buffer. */
static void buffers_in_volumes(const char *path)
{
	const struct directory_open_params params = {.path = MSG_TEXT("fifo"),
	                                             .flags = OPEN_READ | OPEN_WRITE};
	struct directory_open_results results;
	struct capos_call call = CALL();
	cap_t file = CAP_NULL, cut, small, whole;

	if (!directory_open(find_volume(path), &params, &results, &call) && call.ncaps)
		file = call.caps[0];
	ok(file && !cap_memory_create(FIFO_BYTES, &cut) &&
	           !cap_memory_create_committed(4096, &small) &&
	           !cap_memory_create_committed(FIFO_BYTES, &whole),
	   "a FIFO in a volume");
	ok(share(file, cut) == STATUS_INVALID_ARGUMENT, "has no buffer that its maker could cut");
	ok(share(file, small) == STATUS_INVALID_ARGUMENT, "nor a short one");
	ok(!share(file, whole), "but one that stays as it is");
}

/* The permission to execute gives none of the bytes. */
static void programs_of_others(void)
{
	const struct directory_open_params params = {.path = MSG_TEXT(RUN),
	                                             .flags = OPEN_EXECUTE | OPEN_CONTENTS};
	struct directory_open_results results;
	struct capos_call call = CALL();

	ok(!directory_open(start_cap("files"), &params, &results, &call) && call.ncaps == 1 &&
	           !results.has_contents,
	   "what may only be executed is not read");
	cap_release(call.caps[0]);
}

/* A File that was opened to be read is not opened again to be written. */
static void files_opened_again(void)
{
	const struct file_offer_params offer = {.key = 77};
	const struct directory_open_offered_params params = {.key = 77, .flags = OPEN_WRITE};
	struct directory_open_offered_results results;
	struct capos_call call = CALL();
	cap_t file = open_file(OTHERS, OPEN_READ);

	ok(!file_offer(file, &offer, &call), "a file of another user's is offered");
	call = CALL();
	ok(directory_open_offered(start_cap("files"), &params, &results, &call) ==
	           STATUS_ACCESS_DENIED,
	   "and not opened to be written");
	cap_release(file);
}

/* None is opened ahead as long as anybody watches files. */
static void files_opened_ahead(void)
{
	const struct directory_open_following_params params = {.name = MSG_TEXT("secret")};
	const struct file_truncate_params cut = {.size = 0};
	struct directory_open_following_results results;
	struct capos_call call = CALL();
	struct directory_entry entry;
	cap_t place = open_file(PLACE, OPEN_DIRECTORY);
	void *address;

	ok(!directory_open_following(place, &params, &results, &call) && results.entries.count &&
	           call.ncaps == 2 * results.entries.count,
	   "files of another user's directory are opened ahead");
	for (uint32_t i = 0; i < results.entries.count; i++) {
		ok(!directory_entry_get(&results.entries, i, &entry) && entry.name.len == 6 &&
		           !memcmp(entry.name.ptr, "others", 6),
		   "none but those that may be read");
		ok(cap_memory_map(call.caps[2 * i + 1], 0, 4096, CAP_RIGHT_READ | CAP_RIGHT_WRITE,
		                  &address) != 0,
		   "their contents are not mapped to be written");
	}
	for (uint32_t i = 0; i < call.ncaps; i += 2) {
		struct capos_call again = {.buffer = NULL};

		ok(file_truncate(call.caps[i], &cut, &again) != STATUS_OK, "nor are they cut");
	}
	for (uint32_t i = 0; i < call.ncaps; i++)
		cap_release(call.caps[i]);
	call = CALL();
	ok(directory_open_following(open_file(HIDDEN, OPEN_DIRECTORY), &params, &results, &call) ==
	           STATUS_ACCESS_DENIED,
	   "none of a directory that may not be read");
	call = CALL();
	ok(directory_open_following(open_file(LOCKED, OPEN_DIRECTORY), &params, &results, &call) ==
	           STATUS_ACCESS_DENIED,
	   "nor of one that may not be searched");
}

/* More than a session may have: what is not taken with the answer is closed. */
static void files_that_nobody_takes(void)
{
	const struct directory_open_following_params params = {.name = MSG_TEXT("secret")};
	cap_t place = open_file(PLACE, OPEN_DIRECTORY);
	bool fails = true;
	cap_t file;

	for (int i = 0; i < 20000 && fails; i++) {
		struct directory_open_following_results results;
		uint64_t small[2];
		struct capos_call call = {.buffer = small, .size = sizeof(small)};

		fails = directory_open_following(place, &params, &results, &call) != 0;
	}
	file = open_file(OTHERS, OPEN_READ);
	ok(fails && file, "answers without room leave no file open");
	cap_release(file);
}

/* A process ends and says that it holds a lock in a page that it may only read: a counter, which it
 * has made count as far as the number that owns the lock. */
static void lock_of_a_counter(const uint64_t *counters)
{
	struct capos_ring *ring;
	uint64_t before[4096 / 8];
	unsigned i = CHANGES_FIRST;
	int status;
	pid_t child;

	close(open(OWN, O_CREAT | O_WRONLY, 0600));
	memcpy(before, counters, sizeof(before));
	chmod(OWN, 0600);
	while (i < 4096 / 8 - 1 && counters[i] == before[i])
		i++;
	child = fork();
	if (!child) {
		ring = cap_ring();
		while (counters[i] < (ring->thread_id & CAPOS_LOCK_OWNER) && !chmod(OWN, 0600))
			;
		ring->end.held[CAPOS_LOCKS_HELD - 1] = (uintptr_t)&counters[i];
		_exit(counters[i] != (ring->thread_id & CAPOS_LOCK_OWNER));
	}
	waitpid(child, &status, 0);
	ok(!status, "one of them counts to the number of a thread");
	ok(!(counters[i] & CAPOS_LOCK_DIED), "whose end does not mark it as a lock");
	unlink(OWN);
}

/* The counters of changes, which all programs read. */
static void counters_of_all(void)
{
	struct directory_changes_results results;
	struct capos_call call = CALL();
	struct cap_copied stored;
	void *address;

	ok(!directory_changes(start_cap("files"), &results, &call) && call.ncaps == 1,
	   "the counters of changes are there to be read");
	ok(cap_memory_map(call.caps[0], 0, 4096, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address) != 0,
	   "and not mapped to be written");
	ok(cap_memory_store(call.caps[0], CAP_NULL, false, 0, "12345678", 8, &stored) != 0,
	   "nor stored to");
	if (cap_memory_map(call.caps[0], 0, 4096, CAP_RIGHT_READ, &address))
		return;
	lock_of_a_counter(address);
}

static void uses_that_were_none(void)
{
	const struct file_used_params used = {.read = true, .written = true};
	cap_t secret = open_file(SECRET, OPEN_UNTOLD);
	struct capos_call call = CALL();

	file_used(secret, &used, &call);
	cap_release(secret);
}

/* ---- Terminals ---- */

static cap_t found; /* by user 0: not open */

static int find_terminal(cap_t *out)
{
	const struct terminal_maker_find_params params = {.number = 1};
	struct terminal_maker_find_results results;
	struct capos_call call = CALL();
	int result = terminal_maker_find(start_cap("terminals"), &params, &results, &call);

	*out = !result && call.ncaps ? call.caps[0] : CAP_NULL;
	return result;
}

static void terminals_of_others(void)
{
	const struct terminal_session_push_params push = {.byte = 'x'};
	const struct terminal_maker_change_params own = {.file = {1, USER, TERMINAL_KEEP,
	                                                          TERMINAL_KEEP}},
	                                          all = {.file = {1, TERMINAL_KEEP, TERMINAL_KEEP,
	                                                          0666}};
	struct capos_call call = CALL();
	cap_t terminal;

	ok(open("/dev/pts/1", O_RDWR | O_NOCTTY) < 0 && errno == EACCES,
	   "another user's terminal is not opened");
	ok(find_terminal(&terminal) == STATUS_ACCESS_DENIED, "nor found");
	call = CALL();
	ok(terminal_maker_change(start_cap("terminals"), &own, &call) == STATUS_NOT_PERMITTED,
	   "nor made its own");
	call = CALL();
	ok(terminal_maker_change(start_cap("terminals"), &all, &call) == STATUS_NOT_PERMITTED,
	   "nor everybody's");
	call = CALL();
	ok(terminal_session_push(found, &push, &call) == STATUS_NOT_PERMITTED,
	   "nothing is typed at one that is not open");
}

static void signals_of_its_session(void)
{
	const struct process_member_set_terminal_params params = {.number = 7};
	const struct process_session_signal_params kill = {.signal = SIGUSR1};
	const struct process_session_signal_params none = {.signal = 0};
	struct process_member_set_terminal_results results;
	struct capos_send_cap send = {.cap = found, .rights = CAP_RIGHTS_ALL};
	struct capos_call call = CALL();
	cap_t session = CAP_NULL;

	call.send_caps = &send;
	call.send_ncaps = 1;
	if (setsid() > 0 && !process_member_set_terminal(find_member(), &params, &results, &call) &&
	    call.ncaps)
		session = call.caps[0];
	call = CALL();
	ok(!process_session_signal(session, &none, &call), "who leads a session has it");
	call = CALL();
	ok(process_session_signal(session, &kill, &call) == STATUS_INVALID_ARGUMENT,
	   "and sends its foreground what terminals send, no more");
	cap_release(session);
}

/* ---- The processor ---- */

static void no_more_of_the_processor(void)
{
	const struct capos_scheduling real = {.policy = CAPOS_POLICY_FIFO, .priority = 1};

	ok(cap_thread_set_policy(0, &real) == CAP_ERIGHTS, "its threads have no real time");
	ok(cap_thread_set_nice(0, -1) == CAP_ERIGHTS, "nor a nice value below 0");
	ok(!cap_thread_set_nice(0, 1), "but one above");
	ok(cap_thread_set_nice(0, 0) == CAP_ERIGHTS, "for good");
}

/* ---- Both sides ---- */

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	write(fd, text, strlen(text));
	fchmod(fd, mode);
	close(fd);
}

static void make_files(void)
{
	mkdir(PLACE, 0755);
	close(open(SECRET, O_CREAT | O_WRONLY, 0600));
	close(open(OTHERS, O_CREAT | O_WRONLY, 0644));
	chmod(OTHERS, 0644);
	mknod(SOCKET, S_IFSOCK | 0755, 0);
	write_file(RUN, "not to be read", 0711);
	mkdir(HIDDEN, 0711);
	mkdir(LOCKED, 0744);
}

static void become_other(void)
{
	if (setgroups(0, NULL) || setgid(USER) || setuid(USER))
		_exit(1);
}

static _Noreturn void end_attack(void)
{
	fflush(stdout);
	_exit(tap_failed ? 255 : tap_count);
}

static _Noreturn void attack_unwatched(void)
{
	become_other();
	files_opened_ahead();
	files_that_nobody_takes();
	counters_of_all();
	end_attack();
}

static _Noreturn void attack(const char *volume)
{
	for (int i = 1; i <= 64; i++) /* its own event is among those that it signals */
		signal(i, SIG_IGN);
	become_other();
	signals_by_other_ways();
	locks_of_others();
	sockets_of_others();
	programs_of_others();
	files_opened_again();
	if (volume)
		buffers_in_volumes(volume);
	uses_that_were_none();
	terminals_of_others();
	signals_of_its_session();
	no_more_of_the_processor();
	members_once_and_as_oneself();
	end_attack();
}

/* Goes on counting from what the other has counted. */
static void wait_attack(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	tap_count = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	ok(tap_count && tap_count < 255, "the other user got nothing");
}

int main(int argc, char **argv)
{
	int watch, master = posix_openpt(O_RDWR | O_NOCTTY);
	char event[256];
	pid_t child;

	start_init((const uint64_t *)argv - 1);
	make_files();
	child = fork();
	if (!child)
		attack_unwatched();
	wait_attack(child);
	watch = inotify_init1(IN_NONBLOCK);
	if (argc > 1 && (chdir(argv[1]) || mkfifo("fifo", 0666) || chmod("fifo", 0666)))
		ok(false, "a FIFO is made in the volume");
	inotify_add_watch(watch, SECRET, IN_ACCESS | IN_MODIFY);
	unlockpt(master);
	find_terminal(&found);
	signal(SIGUSR1, note);
	signal(SIGUSR2, note);
	child = fork();
	if (!child)
		attack(argv[1]);
	wait_attack(child);
	ok(!came, "user 0 was sent no signal");
	ok(read(watch, event, sizeof(event)) < 0 && errno == EAGAIN,
	   "and was told of no use of its file");
	return tap_finish();
}

/* SPDX-License-Identifier: MIT */
/*
 * System V shared memory, semaphores and message queues: by key and by number, over fork and exec,
 * waiting, and what becomes of them when processes end.  Linux says the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

#define PAGE 4096
#define KEY  0x43415053

union argument {
	int value;
	struct semid_ds *set;
	unsigned short *values;
	struct seminfo *info;
};

struct text {
	long type;
	char bytes[8193];
};

static void note(int number)
{
	(void)number;
}

static int status_of(pid_t child)
{
	int status = -1;

	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* ---- Segments ---- */

static long attached(int id)
{
	struct shmid_ds state;

	return shmctl(id, IPC_STAT, &state) ? -1 : (long)state.shm_nattch;
}

static void segment_numbers(void)
{
	struct shmid_ds state;
	int id, same;

	fails(shmget(KEY, PAGE, 0), ENOENT, "a segment that is not there");
	id = shmget(KEY, 5000, IPC_CREAT | IPC_EXCL | 0640);
	ok(id >= 0, "is made");
	fails(shmget(KEY, 5000, IPC_CREAT | IPC_EXCL | 0640), EEXIST, "once");
	same = shmget(KEY, 0, 0);
	ok(same == id, "and found by its key");
	fails(shmget(KEY, 5001, 0), EINVAL, "but not a larger one");
	fails(shmget(IPC_PRIVATE, 0, 0600), EINVAL, "nor is one of no bytes made");
	ok(shmctl(id, IPC_STAT, &state) == 0 && state.shm_segsz == 5000 && state.shm_nattch == 0 &&
	           state.shm_perm.mode == 0640 && state.shm_perm.__ipc_perm_key == KEY &&
	           state.shm_cpid == getpid() && state.shm_atime == 0 && state.shm_ctime != 0,
	   "its state");
	state.shm_perm.mode = 0600;
	ok(shmctl(id, IPC_SET, &state) == 0 && shmctl(id, IPC_STAT, &state) == 0 &&
	           state.shm_perm.mode == 0600,
	   "its mode is set");
	ok(shmctl(id, IPC_RMID, NULL) == 0, "it is removed");
	fails(shmget(KEY, 0, 0), ENOENT, "its key names nothing now");
	fails(shmctl(id, IPC_STAT, &state), EINVAL, "nor does its number");
	fails((long)shmat(id, NULL, 0), EINVAL, "and it is not attached");
	fails(shmctl(-1, IPC_RMID, NULL), EINVAL, "no number");
	id = shmget(IPC_PRIVATE, PAGE, 0600);
	same = shmget(IPC_PRIVATE, PAGE, 0600);
	ok(id >= 0 && same >= 0 && id != same, "without a key each is another one");
	shmctl(id, IPC_RMID, NULL);
	shmctl(same, IPC_RMID, NULL);
}

static void segment_memory(void)
{
	int id = shmget(IPC_PRIVATE, 2 * PAGE, 0600);
	char *first = shmat(id, NULL, 0), *second = shmat(id, NULL, SHM_RDONLY), *third;

	ok(first != (void *)-1 && second != (void *)-1 && first != second, "it is attached twice");
	if (first == (void *)-1 || second == (void *)-1)
		return;
	ok(first[0] == 0 && first[2 * PAGE - 1] == 0, "full of zeroes");
	strcpy(first, "shared");
	ok(!strcmp(second, "shared"), "both show the same");
	ok(attached(id) == 2, "and are counted");
	fails((long)shmat(id, first + 1, 0), EINVAL, "no odd address");
	fails((long)shmat(id, first, 0), EINVAL, "no address in use");
	ok(shmat(id, first + 10, SHM_RND | SHM_REMAP) == first, "but in its place");
	ok(!strcmp(first, "shared"), "which then shows it");
	third = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(third, 2 * PAGE);
	ok(shmat(id, third, 0) == third && third[0] == 's', "at an address that is free");
	ok(shmdt(third) == 0, "it is detached");
	fails(shmdt(third), EINVAL, "once");
	fails(shmdt(second + 1), EINVAL, "where it begins");
	ok(shmdt(second) == 0 && shmctl(id, IPC_RMID, NULL) == 0, "it is removed while attached");
	ok(!strcmp(first, "shared"), "and stays for who has it");
	shmdt(first);
}

static void segment_processes(const char *own)
{
	int id = shmget(KEY + 1, PAGE, IPC_CREAT | 0600), ready[2];
	char *memory = shmat(id, NULL, 0), byte;
	struct shmid_ds state;
	pid_t child;

	if (memory == (void *)-1) {
		ok(0, "it is attached to be shared with processes");
		return;
	}
	child = fork();
	if (child == 0) {
		int fine = attached(id) == 2 && memory[0] == 0;

		strcpy(memory, "of a child");
		_exit(fine ? 7 : 1);
	}
	ok(status_of(child) == 7, "a child has it attached, too");
	ok(attached(id) == 1, "until it ends");
	ok(!strcmp(memory, "of a child"), "and what it wrote is there");
	child = fork();
	if (child == 0) {
		execl(own, own, "segment", NULL);
		_exit(99);
	}
	ok(status_of(child) == 8, "another program has nothing attached and finds it by its key");
	ok(!strcmp(memory, "of a program"), "and writes to it");
	ok(attached(id) == 1, "until it ends");
	if (pipe(ready))
		_exit(97);
	child = fork();
	if (child == 0) {
		shmat(id, NULL, 0);
		shmat(id, NULL, 0);
		(void)!write(ready[1], "", 1);
		pause();
	}
	(void)!read(ready[0], &byte, 1);
	ok(attached(id) == 4, "a child attaches it twice more");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ok(attached(id) == 1, "what is killed has it no more");
	ok(shmctl(id, IPC_RMID, NULL) == 0 && shmctl(id, IPC_STAT, &state) == 0 &&
	           state.shm_perm.mode & SHM_DEST && state.shm_perm.__ipc_perm_key == 0,
	   "removed, it is there as long as it is attached");
	shmdt(memory);
	fails(shmctl(id, IPC_STAT, &state), EINVAL, "and then gone");
	close(ready[0]);
	close(ready[1]);
}

static int other_segment(void)
{
	int id = shmget(KEY + 1, 0, 0);
	long before = attached(id);
	char *memory = shmat(id, NULL, 0);

	if (memory == (void *)-1 || strcmp(memory, "of a child"))
		return 1;
	strcpy(memory, "of a program");
	return before == 1 && attached(id) == 2 ? 8 : 2;
}

static void segment_listing(void)
{
	int id = shmget(IPC_PRIVATE, 3 * PAGE, 0600), found = 0, highest;
	struct shm_info info;
	struct shminfo limits;
	struct shmid_ds state;

	highest = shmctl(0, SHM_INFO, (struct shmid_ds *)&info);
	ok(highest >= 0 && info.__used_ids >= 1 && info.shm_tot >= 3, "SHM_INFO");
	ok(shmctl(0, IPC_INFO, (struct shmid_ds *)&limits) == highest && limits.shmmin == 1,
	   "IPC_INFO of segments");
	for (int i = 0; i <= highest; i++)
		found += shmctl(i, SHM_STAT, &state) == id && state.shm_segsz == 3 * PAGE;
	ok(found == 1, "SHM_STAT finds it at one place");
	ok(shmctl(id, SHM_LOCK, NULL) == 0 && shmctl(id, IPC_STAT, &state) == 0 &&
	           state.shm_perm.mode & SHM_LOCKED,
	   "SHM_LOCK");
	ok(shmctl(id, SHM_UNLOCK, NULL) == 0 && shmctl(id, IPC_STAT, &state) == 0 &&
	           !(state.shm_perm.mode & SHM_LOCKED),
	   "SHM_UNLOCK");
	fails(shmctl(id, 99, &state), EINVAL, "no such command");
	shmctl(id, IPC_RMID, NULL);
}

/* ---- Semaphores ---- */

static int change(int id, int number, int by, int flags)
{
	struct sembuf one = {(unsigned short)number, (short)by, (short)flags};

	return semop(id, &one, 1);
}

static int value(int id, int number)
{
	return semctl(id, number, GETVAL);
}

static void set(int id, int number, int to)
{
	semctl(id, number, SETVAL, (union argument){.value = to});
}

static void set_numbers(void)
{
	unsigned short values[4] = {4, 3, 2, 1}, got[4] = {0};
	struct semid_ds state;
	struct seminfo info;
	int id;

	fails(semget(KEY, 4, 0), ENOENT, "a set that is not there");
	id = semget(KEY, 4, IPC_CREAT | 0600);
	ok(id >= 0 && semget(KEY, 0, 0) == id && semget(KEY, 4, IPC_CREAT) == id, "is made");
	fails(semget(KEY, 5, 0), EINVAL, "of no more semaphores than it has");
	fails(semget(IPC_PRIVATE, 0, 0600), EINVAL, "of none no set is made");
	ok(semctl(id, 0, SETALL, (union argument){.values = values}) == 0 &&
	           semctl(id, 0, GETALL, (union argument){.values = got}) == 0 &&
	           !memcmp(values, got, sizeof(got)),
	   "all values");
	set(id, 1, 9);
	ok(value(id, 1) == 9 && value(id, 0) == 4, "one value");
	ok(semctl(id, 1, GETPID) == getpid(), "of this process");
	fails(semctl(id, 4, GETVAL), EINVAL, "no such semaphore");
	fails(semctl(id, 0, SETVAL, (union argument){.value = 32768}), ERANGE, "too large a value");
	fails(semctl(id, 0, SETVAL, (union argument){.value = -1}), ERANGE, "no negative one");
	ok(semctl(id, 0, IPC_STAT, (union argument){.set = &state}) == 0 && state.sem_nsems == 4 &&
	           state.sem_otime == 0 && state.sem_perm.mode == 0600,
	   "its state");
	ok(semctl(0, 0, SEM_INFO, (union argument){.info = &info}) >= 0 && info.semvmx == 32767 &&
	           info.semusz >= 1 && info.semaem >= 4,
	   "SEM_INFO");
	ok(semctl(id, 0, IPC_RMID) == 0, "it is removed");
	fails(value(id, 0), EINVAL, "and gone");
}

static void set_operations(void)
{
	int id = semget(IPC_PRIVATE, 3, 0600);
	struct sembuf several[3] = {{0, 2, 0}, {1, 1, 0}, {2, -1, IPC_NOWAIT}};
	struct sembuf many[501] = {{0, 0, 0}};
	struct timespec shortly = {0, 50000000}, wrong = {0, -1};
	struct sembuf down = {0, -1, 0};
	struct semid_ds state;

	fails(semop(id, several, 3), EAGAIN, "IPC_NOWAIT");
	ok(value(id, 0) == 0 && value(id, 1) == 0, "all or nothing");
	set(id, 2, 1);
	ok(semop(id, several, 3) == 0 && value(id, 0) == 2 && value(id, 1) == 1 &&
	           value(id, 2) == 0,
	   "all at once");
	ok(semctl(id, 0, IPC_STAT, (union argument){.set = &state}) == 0 && state.sem_otime != 0,
	   "when, is noted");
	ok(change(id, 2, 0, 0) == 0, "0 is 0");
	fails(change(id, 0, 0, IPC_NOWAIT), EAGAIN, "2 is not");
	fails(change(id, 0, 32766, 0), ERANGE, "a value stays below 32768");
	fails(change(id, 3, 1, 0), EFBIG, "no such semaphore");
	fails(semop(id, several, 0), EINVAL, "no operations");
	fails(semop(id, many, 501), E2BIG, "too many operations");
	set(id, 0, 0);
	fails(semtimedop(id, &down, 1, &shortly), EAGAIN, "time passes");
	fails(semtimedop(id, &down, 1, &wrong), EINVAL, "no such time");
	several[0] = (struct sembuf){0, 1, 0};
	several[1] = (struct sembuf){0, -1, 0};
	several[2] = (struct sembuf){0, 0, IPC_NOWAIT};
	ok(semop(id, several, 3) == 0, "operations see what those before them did");
	semctl(id, 0, IPC_RMID);
}

static int waits(int id, int by)
{
	for (int i = 0; i < 500; i++) {
		if (semctl(id, 0, by ? GETNCNT : GETZCNT) == 1)
			return 1;
		pause_ms(10);
	}
	return 0;
}

/* A child that does one operation: 0, or its errno. */
static pid_t operator(int id, int by)
{
	pid_t child = fork();

	if (child == 0)
		_exit(change(id, 0, by, 0) ? errno : 0);
	ok(waits(id, by), "a process waits");
	return child;
}

static void set_waiting(void)
{
	int id = semget(IPC_PRIVATE, 1, 0600);
	pid_t child = operator(id, -2);

	change(id, 0, 1, 0);
	ok(waits(id, -2), "one is too little for it");
	change(id, 0, 1, 0);
	ok(status_of(child) == 0 && value(id, 0) == 0, "two are enough");
	ok(semctl(id, 0, GETPID) == child, "it was the last");
	change(id, 0, 1, 0);
	child = operator(id, 0);
	change(id, 0, -1, 0);
	ok(status_of(child) == 0, "0 is reached");
	child = operator(id, -1);
	set(id, 0, 1);
	ok(status_of(child) == 0 && value(id, 0) == 0, "SETVAL wakes");
	signal(SIGUSR1, note);
	child = operator(id, -1);
	kill(child, SIGUSR1);
	ok(status_of(child) == EINTR && semctl(id, 0, GETNCNT) == 0, "a signal ends the wait");
	child = operator(id, -1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	change(id, 0, 1, 0);
	ok(value(id, 0) == 1, "what is killed takes nothing");
	set(id, 0, 0);
	child = operator(id, -1);
	semctl(id, 0, IPC_RMID);
	ok(status_of(child) == EIDRM, "EIDRM");
}

static void set_undo(const char *own)
{
	int id = semget(KEY + 2, 2, IPC_CREAT | 0600), ready[2];
	char byte;
	pid_t child;

	set(id, 0, 5);
	child = fork();
	if (child == 0)
		_exit(change(id, 0, -3, SEM_UNDO) || change(id, 0, 1, 0) || value(id, 0) != 3);
	ok(status_of(child) == 0 && value(id, 0) == 6, "SEM_UNDO when a process ends");
	if (pipe(ready))
		_exit(97);
	child = fork();
	if (child == 0) {
		change(id, 0, -6, SEM_UNDO);
		(void)!write(ready[1], "", 1);
		pause();
	}
	(void)!read(ready[0], &byte, 1);
	ok(value(id, 0) == 0, "a process has all");
	kill(child, SIGKILL);
	ok(change(id, 0, -6, 0) == 0, "which come back when it is killed, to who waits");
	waitpid(child, NULL, 0);
	set(id, 0, 0);
	child = fork();
	if (child == 0) {
		change(id, 0, 3, SEM_UNDO);
		set(id, 0, 2);
		_exit(0);
	}
	ok(status_of(child) == 0 && value(id, 0) == 2, "SETVAL forgets what is to be undone");
	child = fork();
	if (child == 0) {
		change(id, 0, 4, SEM_UNDO);
		if (fork() == 0)
			_exit(0);
		wait(NULL);
		_exit(value(id, 0) != 6);
	}
	ok(status_of(child) == 0 && value(id, 0) == 2, "a child inherits nothing to undo");
	child = fork();
	if (child == 0) {
		change(id, 0, 7, SEM_UNDO);
		execl(own, own, "set", NULL);
		_exit(99);
	}
	ok(status_of(child) == 9, "a program that is executed keeps it");
	ok(value(id, 0) == 2, "until it ends");
	child = fork();
	if (child == 0) {
		change(id, 0, 4, SEM_UNDO);
		change(id, 0, -4, 0);
		change(id, 0, -2, 0);
		_exit(0);
	}
	ok(status_of(child) == 0 && value(id, 0) == 0, "no value falls below 0");
	semctl(id, 0, IPC_RMID);
	close(ready[0]);
	close(ready[1]);
}

static int other_set(void)
{
	return value(semget(KEY + 2, 0, 0), 0) == 9 ? 9 : 1;
}

/* Four processes add to a number under a semaphore. */
static void set_contended(void)
{
	int id = semget(IPC_PRIVATE, 1, 0600), segment = shmget(IPC_PRIVATE, PAGE, 0600);
	volatile int *number = shmat(segment, NULL, 0);
	int fine = 1;

	set(id, 0, 1);
	for (int i = 0; i < 4; i++) {
		if (fork())
			continue;
		for (int j = 0; j < 100; j++) {
			change(id, 0, -1, SEM_UNDO);
			*number = *number + 1;
			change(id, 0, 1, SEM_UNDO);
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		fine &= status_of(-1) == 0;
	ok(fine && *number == 400, "four processes keep each other out");
	semctl(id, 0, IPC_RMID);
	shmctl(segment, IPC_RMID, NULL);
	shmdt((void *)(uintptr_t)number);
}

/* ---- Messages ---- */

static int post(int id, long type, const char *text)
{
	struct text m = {.type = type};

	strcpy(m.bytes, text);
	return msgsnd(id, &m, strlen(text), IPC_NOWAIT);
}

static int takes(int id, long type, int flags, const char *expected)
{
	struct text m;
	ssize_t n = msgrcv(id, &m, sizeof(m.bytes), type, flags | IPC_NOWAIT);

	return n == (ssize_t)strlen(expected) && !memcmp(m.bytes, expected, (size_t)n);
}

static void queue_numbers(void)
{
	struct msqid_ds state;
	struct msginfo info;
	int id;

	fails(msgget(KEY, 0), ENOENT, "a queue that is not there");
	id = msgget(KEY, IPC_CREAT | 0600);
	ok(id >= 0 && msgget(KEY, 0) == id, "is made");
	fails(msgget(KEY, IPC_CREAT | IPC_EXCL | 0600), EEXIST, "once");
	ok(msgctl(id, IPC_STAT, &state) == 0 && state.msg_qnum == 0 && state.msg_cbytes == 0 &&
	           state.msg_stime == 0 && state.msg_lspid == 0,
	   "its state");
	post(id, 1, "hello");
	ok(msgctl(id, IPC_STAT, &state) == 0 && state.msg_qnum == 1 && state.msg_cbytes == 5 &&
	           state.msg_stime != 0 && state.msg_lspid == getpid(),
	   "with a message");
	ok(msgctl(0, MSG_INFO, (struct msqid_ds *)&info) >= 0 && info.msgpool >= 1 &&
	           info.msgmap >= 1 && info.msgtql >= 5,
	   "MSG_INFO");
	ok(takes(id, 0, 0, "hello") && msgctl(id, IPC_STAT, &state) == 0 && state.msg_qnum == 0 &&
	           state.msg_cbytes == 0 && state.msg_lrpid == getpid(),
	   "which is received");
	state.msg_qbytes = 10;
	ok(msgctl(id, IPC_SET, &state) == 0 && post(id, 1, "ten bytes.") == 0,
	   "it takes ten bytes");
	fails(post(id, 1, "x"), EAGAIN, "and no more");
	ok(msgctl(id, IPC_RMID, NULL) == 0, "it is removed");
	fails(post(id, 1, "x"), EINVAL, "and gone");
}

static void queue_types(void)
{
	int id = msgget(IPC_PRIVATE, 0600);
	struct text m;

	for (int i = 0; i < 2; i++) {
		post(id, 3, "three");
		post(id, 1, "one");
		post(id, 2, "two");
	}
	ok(takes(id, 0, 0, "three"), "the first");
	ok(takes(id, 2, 0, "two"), "the first of a type");
	ok(takes(id, -2, 0, "one"), "the lowest type");
	ok(takes(id, 3, MSG_EXCEPT, "one"), "another type");
	ok(takes(id, -9, 0, "two") && takes(id, -9, 0, "three"), "the rest in their order");
	fails(msgrcv(id, &m, 10, 0, IPC_NOWAIT), ENOMSG, "and nothing more");
	post(id, 1, "too long");
	fails(msgrcv(id, &m, 3, 0, IPC_NOWAIT), E2BIG, "a message that is too long");
	ok(msgrcv(id, &m, 3, 0, IPC_NOWAIT | MSG_NOERROR) == 3 && !memcmp(m.bytes, "too", 3),
	   "is cut");
	fails(msgrcv(id, &m, 10, 0, IPC_NOWAIT), ENOMSG, "and gone");
	ok(post(id, 5, "") == 0 && msgrcv(id, &m, 0, 0, 0) == 0 && m.type == 5, "no bytes");
	m.type = 0;
	fails(msgsnd(id, &m, 1, 0), EINVAL, "no type 0");
	m.type = 1;
	fails(msgsnd(id, &m, 8193, 0), EINVAL, "no message of more than 8192 bytes");
	memset(m.bytes, 'l', 8192);
	m.bytes[8191] = 'e';
	ok(msgsnd(id, &m, 8192, 0) == 0 && msgsnd(id, &m, 8192, 0) == 0, "two that fill it");
	fails(msgsnd(id, &m, 1, IPC_NOWAIT), EAGAIN, "it is full");
	memset(&m, 0, sizeof(m));
	ok(msgrcv(id, &m, 8192, 0, 0) == 8192 && m.bytes[0] == 'l' && m.bytes[8190] == 'l' &&
	           m.bytes[8191] == 'e',
	   "all bytes come");
	msgctl(id, IPC_RMID, NULL);
}

static void queue_waiting(void)
{
	int id = msgget(IPC_PRIVATE, 0600);
	struct text m = {.type = 1};
	pid_t child = fork();

	if (child == 0)
		_exit(msgrcv(id, &m, 100, 7, 0) == 4 && !memcmp(m.bytes, "then", 4) ? 0 : 1);
	pause_ms(50);
	post(id, 6, "other");
	post(id, 7, "then");
	ok(status_of(child) == 0, "a message is waited for");
	ok(takes(id, 0, 0, "other"), "others stay");
	msgsnd(id, &m, 8192, 0);
	msgsnd(id, &m, 8192, 0);
	child = fork();
	if (child == 0)
		_exit(msgsnd(id, &m, 100, 0) ? errno : 0);
	pause_ms(50);
	ok(msgrcv(id, &m, 8192, 0, 0) == 8192 && status_of(child) == 0, "room is waited for");
	ok(msgrcv(id, &m, 8192, 0, 0) == 8192 && msgrcv(id, &m, 8192, 0, IPC_NOWAIT) == 100,
	   "and all came");
	signal(SIGUSR1, note);
	for (int i = 0; i < 2; i++) {
		child = fork();
		if (child == 0)
			_exit(msgrcv(id, &m, 100, 0, 0) < 0 ? errno : 0);
		pause_ms(200);
		if (i == 0)
			kill(child, SIGUSR1);
		else
			msgctl(id, IPC_RMID, NULL);
		ok(status_of(child) == (i ? EIDRM : EINTR), i ? "EIDRM" : "a signal ends it");
	}
}

/* ---- /proc ---- */

/* Whether a line of the file begins with key and number, and has that number behind it. */
static int listed(const char *name, int key, int id, unsigned long size)
{
	FILE *file = fopen(name, "r");
	char line[512];
	int found = 0;

	while (file && fgets(line, sizeof(line), file)) {
		unsigned long got_size;
		int got_key, got_id;
		unsigned mode;

		if (sscanf(line, "%d %d %o %lu", &got_key, &got_id, &mode, &got_size) == 4)
			found += got_key == key && got_id == id && mode == 0640 && got_size == size;
	}
	if (file)
		fclose(file);
	return found == 1;
}

static void proc_files(void)
{
	int segment = shmget(KEY + 3, 12345, IPC_CREAT | 0640);
	int semaphores = semget(KEY + 3, 7, IPC_CREAT | 0640);
	int messages = msgget(KEY + 3, IPC_CREAT | 0640);

	post(messages, 1, "eleven byte");
	ok(listed("/proc/sysvipc/shm", KEY + 3, segment, 12345), "a segment is listed in /proc");
	ok(listed("/proc/sysvipc/sem", KEY + 3, semaphores, 7), "so is a set of semaphores");
	ok(listed("/proc/sysvipc/msg", KEY + 3, messages, 11), "and a queue");
	ok(access("/proc/sysvipc", F_OK) == 0, "in a directory");
	shmctl(segment, IPC_RMID, NULL);
	semctl(semaphores, 0, IPC_RMID);
	msgctl(messages, IPC_RMID, NULL);
	ok(!listed("/proc/sysvipc/shm", KEY + 3, segment, 12345), "until it is removed");
}

/* One of each, which stay: for ipcs and ipcrm. */
static int make_all(void)
{
	return shmget(KEY + 4, PAGE, IPC_CREAT | 0600) < 0 ||
	       semget(KEY + 4, 3, IPC_CREAT | 0600) < 0 || msgget(KEY + 4, IPC_CREAT | 0600) < 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "make"))
		return make_all();
	if (argc > 1)
		return strcmp(argv[1], "set") ? other_segment() : other_set();
	segment_numbers();
	segment_memory();
	segment_processes("/proc/self/exe");
	segment_listing();
	set_numbers();
	set_operations();
	set_waiting();
	set_undo("/proc/self/exe");
	set_contended();
	queue_numbers();
	queue_types();
	queue_waiting();
	proc_files();
	return tap_finish();
}

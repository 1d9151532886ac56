/* SPDX-License-Identifier: MIT */
/*
 * Threads of POSIX: each check is named by what breaks.  The same program says the same on Linux.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"
#include "posix_thread.h"

/* ---- Beginning and end ---- */

static __thread int mine = 5;
static int tids[2];

static void *look_around(void *argument)
{
	tids[1] = (int)syscall(SYS_gettid);
	mine++;
	errno = 7;
	return mine == 6 ? argument : NULL;
}

static void *end_early(void *argument)
{
	pthread_exit(argument);
}

static void *nothing(void *argument)
{
	return argument;
}

static sem_t detached_done;
static void *post_done(void *argument)
{
	sem_post(&detached_done);
	return argument;
}

static void test_life(void)
{
	pthread_attr_t attr;
	pthread_t t;
	size_t size;
	void *place;
	int created = 0;

	errno = 3;
	tids[0] = (int)syscall(SYS_gettid);
	ok(join(start(look_around, &mine)) == &mine, "a thread's result reaches who joins it");
	ok(mine == 5 && errno == 3, "thread-local variables are each thread's own");
	ok(tids[0] == getpid() && tids[1] != tids[0] && tids[1] > 0, "threads have numbers");
	ok(join(start(end_early, tids)) == tids, "pthread_exit ends one thread");
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sem_init(&detached_done, 0, 0);
	for (int i = 0; i < 200; i++)
		created += !pthread_create(&t, &attr, post_done, NULL);
	for (int i = 0; i < created; i++)
		sem_wait(&detached_done);
	ok(created == 200, "two hundred detached threads come and go");
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN);
	ok(!pthread_create(&t, &attr, nothing, tids) && join(t) == tids,
	   "the smallest stack is enough");
	place = malloc(65536);
	pthread_attr_setstack(&attr, place, 65536);
	ok(!pthread_create(&t, &attr, nothing, tids) && join(t) == tids,
	   "a stack of the program's own serves");
	free(place);
	t = start(nothing, NULL);
	ok(!pthread_detach(t), "a running thread is detached");
	ok(!pthread_getattr_np(pthread_self(), &attr) &&
	           !pthread_attr_getstack(&attr, &place, &size) &&
	           (uint64_t)&attr - (uint64_t)place < size,
	   "the first thread knows where its stack is");
}

static atomic_int spun;

static void *spin(void *argument)
{
	struct timespec t, first;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &first);
	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	} while ((t.tv_sec - first.tv_sec) * 1000000000 + t.tv_nsec - first.tv_nsec < 30000000);
	spun = 1;
	while (spun == 1)
		sleep_ms(1);
	return argument;
}

static void test_clocks(void)
{
	struct timespec own, others;
	pthread_t t = start(spin, NULL);
	clockid_t clock;

	while (!spun)
		sleep_ms(1);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
	ok(!pthread_getcpuclockid(t, &clock) && !clock_gettime(clock, &others) &&
	           others.tv_nsec >= 30000000,
	   "a thread's processor time is known to another");
	spun = 2;
	join(t);
	ok(others.tv_sec == 0 && own.tv_sec == 0 && own.tv_nsec < others.tv_nsec + 1000000000,
	   "and is its own");
	ok(clock_gettime(clock, &others) == -1 && errno == EINVAL, "until it ends");
}

#define MANY 1000
static atomic_int arrived, leave;

static void *arrive(void *argument)
{
	arrived++;
	while (!leave)
		syscall(SYS_futex, &leave, FUTEX_WAIT, 0, NULL, NULL, 0);
	return argument;
}

static void test_thousand(void)
{
	static pthread_t t[MANY];
	pthread_attr_t attr;
	int created = 0, joined = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	while (created < MANY && !pthread_create(&t[created], &attr, arrive, NULL))
		created++;
	for (int i = 0; i < 3000 && arrived < created; i++)
		sleep_ms(10);
	ok(created == MANY && arrived == MANY, "a thousand threads at a time");
	leave = 1;
	syscall(SYS_futex, &leave, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	for (int i = 0; i < created; i++)
		joined += !pthread_join(t[i], NULL);
	ok(joined == created, "and all are joined");
}

static int moves[2]; /* words to wait for */
static atomic_int waited;

static void *wait_for_word(void *argument)
{
	waited += !syscall(SYS_futex, &moves[0], FUTEX_WAIT, 5, NULL, NULL, 0);
	return argument;
}

static long requeue(int wake, long move, int *to, int expected)
{
	return syscall(SYS_futex, &moves[0], FUTEX_CMP_REQUEUE, wake, move, to, expected);
}

static void test_requeue(void)
{
	pthread_t t[3];
	long moved = 0;

	moves[0] = 5;
	for (int i = 0; i < 3; i++)
		t[i] = start(wait_for_word, NULL);
	fails(requeue(0, 3, &moves[1], 6), EAGAIN, "FUTEX_CMP_REQUEUE of another value moves none");
	for (int i = 0; i < 200 && moved < 3; i++) { /* until all of them wait */
		moved += requeue(0, 3, &moves[1], 5);
		sleep_ms(10);
	}
	ok(moved == 3 && waited == 0, "of the expected one it moves all");
	ok(syscall(SYS_futex, &moves[0], FUTEX_WAKE, 3, NULL, NULL, 0) == 0 &&
	           syscall(SYS_futex, &moves[1], FUTEX_WAKE, 3, NULL, NULL, 0) == 3,
	   "they wait for the second word now");
	for (int i = 0; i < 3; i++)
		join(t[i]);
	ok(waited == 3, "and are woken there");
	fails(requeue(-1, 0, &moves[1], 5), EINVAL, "numbers are not negative");
	ok(requeue(1, 1, &moves[0], 5) == 0, "both words may be one");
	fails(requeue(1, 1, &moves[0], 6), EAGAIN, "and are compared then too");
}

static int words[2];
static atomic_int waiting;

/* The argument: which word, and the bits, 0: without. */
static void *wait_with_bits(void *argument)
{
	long which = (long)argument & 1, bits = (long)argument >> 1;

	waiting++;
	waited += bits ? !syscall(SYS_futex, &words[which], FUTEX_WAIT_BITSET, 0, NULL, NULL, bits)
	               : !syscall(SYS_futex, &words[which], FUTEX_WAIT, 0, NULL, NULL, 0);
	return argument;
}

/* Lets threads wait, each with its argument. */
static void wait_all(pthread_t *t, const long *arguments, int n)
{
	waiting = waited = 0;
	for (int i = 0; i < n; i++) {
		t[i] = start(wait_with_bits, (void *)arguments[i]);
		while (waiting == i)
			sleep_ms(1);
		sleep_ms(20);
	}
}

static long wake(int which, int most, int bits)
{
	return syscall(SYS_futex, &words[which], FUTEX_WAKE_BITSET, most, NULL, NULL, bits);
}

static void test_bits(void)
{
	static const long bits[] = {1 << 1, 2 << 1, 1 << 1, 6 << 1, 0};
	const struct timespec soon = {.tv_nsec = 1};
	pthread_t t[5];

	wait_all(t, bits, 5);
	ok(wake(0, 9, 8) == 1, "a wait without bits is woken by any");
	join(t[4]);
	ok(wake(0, 1, 6) == 1, "of those that have a bit, one is woken");
	join(t[1]);
	ok(wake(0, 9, 2) == 1, "the other had it too");
	join(t[3]);
	ok(wake(0, 9, 12) == 0 && waited == 3, "nobody is left for these");
	ok(syscall(SYS_futex, &words[0], FUTEX_WAKE, 0, NULL, NULL, 0) == 1,
	   "who is to wake none wakes one");
	join(t[0]);
	ok(syscall(SYS_futex, &words[0], FUTEX_WAKE, -1, NULL, NULL, 0) == 1,
	   "and a negative number too");
	join(t[2]);
	ok(waited == 5, "all are woken");
	fails(syscall(SYS_futex, &words[0], FUTEX_WAIT_BITSET, 0, &soon, NULL, 2), ETIMEDOUT,
	      "a wait with bits ends in time");
	fails(syscall(SYS_futex, &words[0], FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL,
	      "without any bit there is nothing to wait for");
	fails(wake(0, 1, 0), EINVAL, "or to wake");
}

static long wake_op(int most, long most2, unsigned code)
{
	return syscall(SYS_futex, &words[0], FUTEX_WAKE_OP, most, most2, &words[1], code);
}

/* What the word becomes, and that the call answers 0: nobody waits. */
static int becomes(int before, unsigned code, int after)
{
	words[1] = before;
	return wake_op(1, 1, code) == 0 && words[1] == after;
}

static void test_wake_op(void)
{
	static const long both[] = {0, 0, 1, 1};
	pthread_t t[4];

	ok(becomes(5, FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 0), 7), "FUTEX_OP_SET");
	ok(becomes(5, FUTEX_OP(FUTEX_OP_ADD, 0xffe, FUTEX_OP_CMP_EQ, 0), 3),
	   "FUTEX_OP_ADD of a negative number");
	ok(becomes(5, FUTEX_OP(FUTEX_OP_OR, 2, FUTEX_OP_CMP_EQ, 0), 7), "FUTEX_OP_OR");
	ok(becomes(7, FUTEX_OP(FUTEX_OP_ANDN, 2, FUTEX_OP_CMP_EQ, 0), 5), "FUTEX_OP_ANDN");
	ok(becomes(7, FUTEX_OP(FUTEX_OP_XOR, 5, FUTEX_OP_CMP_EQ, 0), 2), "FUTEX_OP_XOR");
	ok(becomes(0, FUTEX_OP((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 20, FUTEX_OP_CMP_EQ, 0),
	           1 << 20),
	   "an operand that is a shift");
	fails(wake_op(1, 1, FUTEX_OP(5, 0, FUTEX_OP_CMP_EQ, 0)), ENOSYS, "no such operation");
	fails(syscall(SYS_futex, &words[0], FUTEX_WAKE_OP, 1, 1, (char *)&words[1] + 1, 0), EINVAL,
	      "a word out of alignment");
	fails(syscall(SYS_futex, &words[0], FUTEX_WAKE_OP, 1, 1, NULL, 0), EFAULT, "no word");
	words[1] = 0;
	wait_all(t, both, 4);
	ok(wake_op(1, 1, FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_NE, 0)) == 1 && words[1] == 1,
	   "the comparison keeps those of the second word asleep");
	ok(wake_op(1, 1, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_GE, 1)) == 2 && words[1] == 0,
	   "or wakes them as well");
	ok(wake_op(9, 9, FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_LT, 0)) == 0, "not when less");
	ok(wake_op(9, 9, FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_GT, 0xfff)) == 1,
	   "numbers are signed");
	for (int i = 0; i < 4; i++)
		join(t[i]);
	ok(waited == 4, "all four were woken");
}

/* ---- Locks ---- */

#define ROUNDS 2000
static long counter;
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;

static void *count_up(void *argument)
{
	pthread_mutex_t *m = argument;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(m);
		long seen = counter;
		if (i % 100 == 0)
			sched_yield();
		counter = seen + 1;
		pthread_mutex_unlock(m);
	}
	return NULL;
}

static void count_with(pthread_mutex_t *m, const char *name)
{
	pthread_t t[4];

	counter = 0;
	for (int i = 0; i < 4; i++)
		t[i] = start(count_up, m);
	for (int i = 0; i < 4; i++)
		join(t[i]);
	ok(counter == 4 * ROUNDS, name);
}

static void mutex_of(pthread_mutex_t *m, int type, int robust, int pshared)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, type);
	pthread_mutexattr_setrobust(&attr, robust);
	pthread_mutexattr_setpshared(&attr, pshared);
	pthread_mutex_init(m, &attr);
}

static void *unlock_it(void *m)
{
	return (void *)(intptr_t)pthread_mutex_unlock(m);
}

static void *try_it(void *m)
{
	return (void *)(intptr_t)pthread_mutex_trylock(m);
}

static void test_mutexes(void)
{
	pthread_mutex_t m;
	struct timespec t;

	count_with(&counting, "a mutex keeps four threads out");
	mutex_of(&m, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	ok(!pthread_mutex_lock(&m) && !pthread_mutex_lock(&m) &&
	           join(start(try_it, &m)) == (void *)EBUSY && !pthread_mutex_unlock(&m) &&
	           join(start(try_it, &m)) == (void *)EBUSY && !pthread_mutex_unlock(&m),
	   "a recursive mutex counts");
	count_with(&m, "a recursive mutex keeps threads out");
	mutex_of(&m, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	ok(!pthread_mutex_lock(&m) && pthread_mutex_lock(&m) == EDEADLK &&
	           join(start(unlock_it, &m)) == (void *)EPERM && !pthread_mutex_unlock(&m),
	   "an error-checking mutex checks");
	pthread_mutex_lock(&counting);
	t = after_ms(CLOCK_REALTIME, 30);
	pthread_mutex_init(&m, NULL);
	pthread_mutex_lock(&m);
	ok(pthread_mutex_timedlock(&m, &t) == ETIMEDOUT, "waiting for a mutex ends at its time");
	pthread_mutex_unlock(&counting);
}

static void *die_holding(void *m)
{
	pthread_mutex_lock(m);
	return NULL;
}

static void *die_in_the_raw(void *m)
{
	pthread_mutex_lock(m);
	syscall(SYS_exit, 0);
	return NULL;
}

static pid_t fork_holding(pthread_mutex_t *m)
{
	pid_t child = fork();

	if (!child) {
		if (pthread_mutex_lock(m))
			_exit(1);
		for (;;)
			pause();
	}
	return child;
}

static void *kill_later(void *child)
{
	sleep_ms(50);
	kill(*(pid_t *)child, SIGKILL);
	return NULL;
}

static void test_robust(void)
{
	pthread_mutex_t own, *m = shared(4096);
	pid_t child;
	pthread_t t;
	int result;

	mutex_of(&own, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
	join(start(die_holding, &own));
	ok(pthread_mutex_lock(&own) == EOWNERDEAD && !pthread_mutex_consistent(&own) &&
	           !pthread_mutex_unlock(&own) && !pthread_mutex_lock(&own) &&
	           !pthread_mutex_unlock(&own),
	   "a robust mutex says that its owner has ended");
	join(start(die_holding, &own));
	pthread_mutex_lock(&own);
	pthread_mutex_unlock(&own);
	ok(pthread_mutex_lock(&own) == ENOTRECOVERABLE, "and is lost when it is not repaired");
	mutex_of(m, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED);
	start(die_in_the_raw, m);
	sleep_ms(50);
	ok(pthread_mutex_lock(m) == EOWNERDEAD && !pthread_mutex_consistent(m) &&
	           !pthread_mutex_unlock(m),
	   "a thread that ends without pthread_exit gives up its mutex");
	child = fork_holding(m);
	while (pthread_mutex_trylock(m) != EBUSY) {
		pthread_mutex_unlock(m);
		sched_yield();
	}
	t = start(kill_later, &child);
	result = pthread_mutex_lock(m);
	join(t);
	ok(result == EOWNERDEAD && !pthread_mutex_consistent(m) && !pthread_mutex_unlock(m),
	   "a process that is killed gives up its mutex to who sleeps for it");
	waitpid(child, NULL, 0);
	child = fork_holding(m);
	sleep_ms(50);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	result = pthread_mutex_trylock(m);
	ok(result == EOWNERDEAD && !pthread_mutex_consistent(m) && !pthread_mutex_unlock(m),
	   "and to who comes later");
	child = fork();
	if (!child) {
		pthread_mutex_lock(m);
		execl("/proc/self/exe", "posix_threads", "nothing", NULL);
		execl("/bin/true", "true", NULL);
		_exit(9);
	}
	waitpid(child, NULL, 0);
	ok(pthread_mutex_lock(m) == EOWNERDEAD && !pthread_mutex_consistent(m) &&
	           !pthread_mutex_unlock(m),
	   "exec gives up a mutex too");
	munmap(m, 4096);
}

/* ---- Between processes ---- */

struct between {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	pthread_barrier_t barrier;
	pthread_rwlock_t rwlock;
	sem_t sem;
	int ready;
	long counter;
};

static void test_process_shared(void)
{
	struct between *b = shared(sizeof(*b));
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;
	pthread_barrierattr_t barrier;
	pthread_rwlockattr_t rwlock;
	pid_t child;
	int serial;

	pthread_mutexattr_init(&mutex), pthread_mutexattr_setpshared(&mutex, 1);
	pthread_condattr_init(&cond), pthread_condattr_setpshared(&cond, 1);
	pthread_barrierattr_init(&barrier), pthread_barrierattr_setpshared(&barrier, 1);
	pthread_rwlockattr_init(&rwlock), pthread_rwlockattr_setpshared(&rwlock, 1);
	pthread_mutex_init(&b->mutex, &mutex);
	pthread_cond_init(&b->cond, &cond);
	pthread_barrier_init(&b->barrier, &barrier, 2);
	pthread_rwlock_init(&b->rwlock, &rwlock);
	sem_init(&b->sem, 1, 0);
	child = fork();
	if (!child) {
		for (int i = 0; i < ROUNDS; i++) {
			pthread_mutex_lock(&b->mutex);
			b->counter++;
			pthread_mutex_unlock(&b->mutex);
		}
		pthread_mutex_lock(&b->mutex);
		while (!b->ready)
			pthread_cond_wait(&b->cond, &b->mutex);
		pthread_mutex_unlock(&b->mutex);
		serial = pthread_barrier_wait(&b->barrier);
		sem_wait(&b->sem);
		pthread_rwlock_wrlock(&b->rwlock);
		b->counter++;
		pthread_rwlock_unlock(&b->rwlock);
		_exit(serial == PTHREAD_BARRIER_SERIAL_THREAD ? 1 : 0);
	}
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&b->mutex);
		b->counter++;
		pthread_mutex_unlock(&b->mutex);
	}
	sleep_ms(20);
	pthread_mutex_lock(&b->mutex);
	b->ready = 1;
	pthread_cond_signal(&b->cond);
	pthread_mutex_unlock(&b->mutex);
	serial = pthread_barrier_wait(&b->barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
	sem_post(&b->sem);
	serial += code_of(child);
	ok(b->counter == 2 * ROUNDS + 1, "a mutex between processes");
	ok(serial == 1, "a barrier between processes has one serial thread");
	munmap(b, sizeof(*b));
}

/* ---- Condition variables, barriers, read-write locks, semaphores, once, keys ---- */

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn, woken;

static void *take_turns(void *number)
{
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&counting);
		while (turn != (int)(intptr_t)number)
			pthread_cond_wait(&cond, &counting);
		turn = !turn;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&counting);
	}
	return number;
}

static void *wait_woken(void *argument)
{
	pthread_mutex_lock(&counting);
	turn++;
	pthread_cond_wait(&cond, &counting);
	woken++;
	pthread_mutex_unlock(&counting);
	return argument;
}

static void test_conditions(void)
{
	pthread_condattr_t attr;
	pthread_cond_t timed;
	pthread_t t[10];
	struct timespec end;

	t[0] = start(take_turns, (void *)0);
	t[1] = start(take_turns, (void *)1);
	ok(join(t[0]) == (void *)0 && join(t[1]) == (void *)1, "two threads take turns");
	turn = 0;
	for (int i = 0; i < 10; i++)
		t[i] = start(wait_woken, NULL);
	for (;; sleep_ms(1)) {
		pthread_mutex_lock(&counting);
		if (turn == 10)
			break;
		pthread_mutex_unlock(&counting);
	}
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&counting);
	for (int i = 0; i < 10; i++)
		join(t[i]);
	ok(woken == 10, "a broadcast wakes all");
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&timed, &attr);
	pthread_mutex_lock(&counting);
	end = after_ms(CLOCK_MONOTONIC, 30);
	ok(pthread_cond_timedwait(&timed, &counting, &end) == ETIMEDOUT,
	   "waiting for a condition ends at a monotonic time");
	end = after_ms(CLOCK_REALTIME, 30);
	ok(pthread_cond_timedwait(&cond, &counting, &end) == ETIMEDOUT, "and at a real time");
	pthread_mutex_unlock(&counting);
}

static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static atomic_int serials, readers, most_readers, writers, mixed;

static void *meet(void *argument)
{
	for (int i = 0; i < 50; i++) {
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			serials++;
	}
	return argument;
}

static void *read_write(void *argument)
{
	for (int i = 0; i < 100; i++) {
		if ((intptr_t)argument % 4 == 0 && i % 10 == 0) {
			pthread_rwlock_wrlock(&rwlock);
			mixed += writers++ || readers;
			sched_yield();
			writers--;
		} else {
			pthread_rwlock_rdlock(&rwlock);
			readers++;
			mixed += writers;
			sched_yield();
			if (readers > most_readers)
				most_readers = readers;
			readers--;
		}
		pthread_rwlock_unlock(&rwlock);
	}
	return argument;
}

static pthread_key_t key;
static atomic_int destroyed, initialized;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void destroy(void *value)
{
	destroyed += *(int *)value;
}

static void initialize(void)
{
	sched_yield();
	initialized++;
}

static void *use_key(void *value)
{
	pthread_once(&once, initialize);
	pthread_setspecific(key, value);
	sched_yield();
	return pthread_getspecific(key) == value ? value : NULL;
}

static void test_meetings(void)
{
	pthread_t t[8];
	struct timespec end;
	sem_t sem, *named;
	int one = 1;

	pthread_barrier_init(&barrier, NULL, 8);
	for (int i = 0; i < 8; i++)
		t[i] = start(meet, NULL);
	for (int i = 0; i < 8; i++)
		join(t[i]);
	ok(serials == 50, "a barrier lets eight threads on together");
	for (intptr_t i = 0; i < 8; i++)
		t[i] = start(read_write, (void *)i);
	for (int i = 0; i < 8; i++)
		join(t[i]);
	ok(!mixed && most_readers > 1, "a read-write lock has many readers or one writer");
	sem_init(&sem, 0, 0);
	end = after_ms(CLOCK_REALTIME, 30);
	ok(sem_timedwait(&sem, &end) && errno == ETIMEDOUT, "waiting for a semaphore ends");
	ok(sem_trywait(&sem) && errno == EAGAIN && !sem_post(&sem) && !sem_wait(&sem),
	   "a semaphore counts");
	named = sem_open("/posix_threads", O_CREAT, 0600, 1);
	ok(named != SEM_FAILED && !sem_wait(named) && !sem_close(named) &&
	           !sem_unlink("/posix_threads"),
	   "a semaphore with a name");
	pthread_key_create(&key, destroy);
	for (int i = 0; i < 4; i++)
		t[i] = start(use_key, &one);
	for (int i = 0; i < 4; i++)
		join(t[i]);
	ok(destroyed == 4 && initialized == 1, "keys are destroyed, once is once");
}

/* ---- What sleeps does not stop others ---- */

struct reading {
	int fd;
	long result;
	int error;
	char buffer[64];
};

static void *read_one(void *argument)
{
	struct reading *r = argument;

	r->result = read(r->fd, r->buffer, sizeof(r->buffer));
	r->error = errno;
	return NULL;
}

static void *poll_one(void *argument)
{
	struct reading *r = argument;
	struct pollfd p = {.fd = r->fd, .events = POLLIN};

	r->result = poll(&p, 1, 10000);
	r->error = p.revents;
	return NULL;
}

static void test_blocking(void)
{
	struct reading r[3] = {{.result = -2}, {.result = -2}, {.result = -2}};
	pthread_t t[3];
	int pipes[3][2], file, copy;
	char text[8] = "";

	for (int i = 0; i < 3; i++) {
		if (pipe(pipes[i]))
			exit(1);
		r[i].fd = pipes[i][0];
		t[i] = start(i == 2 ? poll_one : read_one, &r[i]);
	}
	sleep_ms(50);
	file = open("/tmp/threads", O_CREAT | O_RDWR | O_TRUNC, 0600);
	ok(write(file, "abc", 3) == 3 && pread(file, text, 3, 0) == 3 && !strcmp(text, "abc"),
	   "files are written while others block in read and poll");
	close(file);
	unlink("/tmp/threads");
	ok(write(pipes[1][1], "second", 6) == 6 && (join(t[1]), r[1].result == 6),
	   "a pipe wakes the thread that reads it");
	ok(r[0].result == -2 && r[2].result == -2, "and no other");
	copy = dup(pipes[2][0]);
	close(pipes[2][0]);
	ok(write(pipes[2][1], "x", 1) == 1 &&
	           (join(t[2]), r[2].result == 1 && r[2].error == POLLNVAL),
	   "poll looks again, and its descriptor has been closed");
	close(pipes[0][0]);
	sleep_ms(30);
	ok(r[0].result == -2, "closing what another thread reads does not wake it");
	ok(write(pipes[0][1], "late", 4) == 4 && (join(t[0]), r[0].result == 4),
	   "and its read still gets what comes");
	signal(SIGPIPE, SIG_IGN);
	ok(write(pipes[0][1], "x", 1) == -1 && errno == EPIPE, "the last reader is gone then");
	signal(SIGPIPE, SIG_DFL);
	for (int i = 0; i < 3; i++)
		close(pipes[i][1]);
	close(pipes[1][0]);
	close(copy);
}

/* ---- fork and exec ---- */

static atomic_int stop;

static void *churn(void *argument)
{
	while (!stop) {
		void *p[8];

		for (int i = 0; i < 8; i++)
			p[i] = malloc((size_t)100 << i);
		for (int i = 0; i < 8; i++)
			free(p[i]);
		snprintf(argument, 60, "%d", getpid());
	}
	return NULL;
}

static void *fork_here(void *argument)
{
	pid_t child = fork();

	if (!child) {
		void *p = malloc(1000);
		FILE *f = fopen("/tmp/threads", "w");
		int fine =
		        p && f && fprintf(f, "child") == 5 && !fclose(f) && !unlink("/tmp/threads");

		fine = fine && (int)syscall(SYS_gettid) == getpid();
		fine = fine && join(start(nothing, argument)) == argument;
		exit(fine ? 3 : 4);
	}
	return (void *)(intptr_t)code_of(child);
}

static void *exec_here(void *argument)
{
	execl("/bin/sh", "sh", "-c", "exit 6", NULL);
	return argument;
}

static void *exit_here(void *argument)
{
	exit(7);
	return argument;
}

static void *raw_exit_here(void *argument)
{
	sleep_ms(30);
	syscall(SYS_exit, 8);
	return argument;
}

static int in_child(body *function)
{
	pid_t child = fork();

	if (!child) {
		start(wait_for_ever, NULL);
		join(start(function, NULL));
		_exit(20);
	}
	return code_of(child);
}

static void test_processes(void)
{
	static char places[4][64];
	pthread_t t[4];
	int good = 0, pipes[2];
	pid_t child;
	char byte;

	for (int i = 0; i < 4; i++)
		t[i] = start(churn, places[i]);
	for (int i = 0; i < 20; i++)
		good += join(start(fork_here, places)) == (void *)3;
	stop = 1;
	for (int i = 0; i < 4; i++)
		join(t[i]);
	ok(good == 20, "a child of any thread has libc's locks right and one thread");
	ok(in_child(exec_here) == 6, "exec from a thread ends the others");
	ok(in_child(exit_here) == 7, "exit from a thread ends the process");
	child = fork();
	if (!child) {
		start(raw_exit_here, NULL);
		syscall(SYS_exit, 5);
	}
	ok(code_of(child) == 8, "a process ends with its last thread");
	child = fork();
	if (!child) {
		start(exit_here, NULL);
		pthread_exit(NULL);
	}
	ok(code_of(child) == 7, "the first thread may end first");
	/* Who blocks in read holds the pipe's end open in the parent, not in the child. */
	if (pipe(pipes))
		exit(1);
	struct reading r = {.fd = pipes[0], .result = -2};
	t[0] = start(read_one, &r);
	sleep_ms(20);
	child = fork();
	if (!child) {
		close(pipes[0]);
		close(pipes[1]);
		for (;;)
			pause();
	}
	close(pipes[1]);
	join(t[0]);
	ok(r.result == 0, "a child holds nothing for threads that it has not");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ok(read(pipes[0], &byte, 1) == 0, "and the end of a pipe is seen");
	close(pipes[0]);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_life();
	test_clocks();
	test_mutexes();
	test_conditions();
	test_meetings();
	test_blocking();
	test_process_shared();
	test_robust();
	test_processes();
	test_thousand();
	test_requeue();
	test_bits();
	test_wake_op();
	return tap_finish();
}

/* SPDX-License-Identifier: MIT */
/*
 * The contract between the kernel and every process: capability ids, errors, rings and their
 * opcodes, and the fixed addresses.  Nothing here belongs to one side alone, and every layout is
 * checked at compile time.
 *
 * doc/abi.md explains the rules; the methods of kernel objects are in schema/kernel.capnp.
 */
#ifndef CAPOS_ABI_H
#define CAPOS_ABI_H

#include <stddef.h>
#include <stdint.h>

/* ---- System calls ----
 *
 * `syscall`, number in rax, arguments in rdi and rsi, result in rax; rcx and r11 are clobbered.
 *
 *   cap_enter(min_complete, timeout_ns)
 *     Consumes every submission of the calling thread's ring, then sleeps until at least
 *     min_complete completions are unread or timeout_ns (relative, nanoseconds) has passed.
 *     timeout_ns 0 polls, and without a submission lets other threads that are ready run first;
 *     CAPOS_FOREVER waits without limit.  Returns the number of unread completions (>= 0; fewer
 *     than min_complete means that time ran out), CAP_EINTR when signals are pending for the
 *     thread (see "Upcalls"), CAP_EINVAL when the ring's indices make no sense or min_complete
 *     exceeds CAPOS_CQ_ENTRIES.
 *   exit(status)
 *     Ends the whole process; does not return.  status: CAPOS_EXIT_STATUS.
 *
 * Any other number ends the process with reason "bad system
 * call". */
#define CAPOS_SYS_CAP_ENTER 0
#define CAPOS_SYS_EXIT      1

#define CAPOS_FOREVER UINT64_MAX

/* An exit status: the code (0..255) in bits 0-7; in bits 8-15 the signal that ended it, or 0. */
#define CAPOS_EXIT_STATUS(code, signal) (((uint32_t)(code)&0xff) | (((uint32_t)(signal)&0xff) << 8))
#define CAPOS_EXIT_CODE(status)         ((status)&0xff)
#define CAPOS_EXIT_SIGNAL(status)       (((status) >> 8) & 0xff)

/* ---- Capability ids ----
 *
 * An index into the process's table (bits 0-19) and that slot's generation (bits 20-63).  The
 * generation grows each time the slot is given up, so a stale id fails and never names a newer
 * object.  0 names nothing.
 *
 * A new process finds its own Process capability at index 1, then the capabilities that its
 * creator passed, in their order, from index 2 on, all of generation
 * 1. */
typedef uint64_t cap_t;

#define CAP_NULL           ((cap_t)0)
#define CAP_INDEX_BITS     20
#define CAP_INDEX(id)      ((uint32_t)((id) & ((1u << CAP_INDEX_BITS) - 1)))
#define CAP_GENERATION(id) ((uint64_t)(id) >> CAP_INDEX_BITS)
#define CAP_ID(index, gen) (((cap_t)(gen) << CAP_INDEX_BITS) | (cap_t)(index))
#define CAP_SELF           CAP_ID(1, 1)
#define CAP_GIVEN(n)       CAP_ID(2 + (n), 1)

/* What a holder may do with a kernel object.  A copy may have fewer rights, never more. */
#define CAP_RIGHT_READ   0x001u /* MemoryObject: map or read */
#define CAP_RIGHT_WRITE  0x002u /* MemoryObject: map writable, write */
#define CAP_RIGHT_EXEC   0x004u /* MemoryObject that is code: map executable */
#define CAP_RIGHT_SIGNAL 0x008u /* Event: SIGNAL */
#define CAP_RIGHT_WAIT   0x010u /* Event: WAIT, bindUpcall */
#define CAP_RIGHT_RECV   0x020u /* endpoint: RECV, RETURN, MINT */
/* Process: memory, threads, new objects of that process.  MemoryObject: resize, with WRITE: a
 * process that shares memory keeps this right to itself, or the other takes its pages away. */
#define CAP_RIGHT_MANAGE 0x040u
#define CAP_RIGHT_KILL   0x080u /* Process: kill */
#define CAP_RIGHT_WATCH  0x100u /* Process: wait, status */
#define CAP_RIGHT_CALL   0x200u /* any object with methods: CALL */
#define CAP_RIGHT_COPY   0x400u /* may be copied to another process; without it only moved */
#define CAP_RIGHTS_ALL   0x7ffu

/* ---- Errors ----
 *
 * A completion's result: 0 is success, negative is one of these (from the kernel), positive is a
 * Status of schema/status.capnp (from the
 * server). */
enum cap_error {
	CAP_OK = 0,
	CAP_EBADCAP = -1,    /* no such capability, or a stale id */
	CAP_ETYPE = -2,      /* the object is not of the kind (or interface) the operation needs */
	CAP_ERIGHTS = -3,    /* the capability lacks a right */
	CAP_EMETHOD = -4,    /* the interface has no such method */
	CAP_EINVAL = -5,     /* a field has a value that is not allowed */
	CAP_EFAULT = -6,     /* an address range is not mapped, or not with the needed access */
	CAP_ENOMEM = -7,     /* no memory, or the process's limit is reached */
	CAP_ENOSLOT = -8,    /* a capability table is full */
	CAP_ETOOBIG = -9,    /* a message or its capabilities do not fit the receiver's buffer */
	CAP_EMESSAGE = -10,  /* a message is not well formed */
	CAP_ECANCELED = -11, /* cancelled by CANCEL */
	CAP_EGONE = -12,     /* the object's server (or the process asked about) has ended */
	CAP_EAGAIN = -13,    /* would have to wait (futex word differs), or too much in flight */
	CAP_EBUSY = -14,     /* another process holds what may be held once */
	CAP_ENOENT = -15,    /* nothing of that name or number */
	CAP_EINTR = -16,     /* signals are pending for the thread */
	CAP_ETIMEDOUT = -17, /* a bound that the caller gave has passed (library calls) */
	CAP_ENOEXEC = -18,   /* not an ELF image this kernel can start */
	CAP_EOPCODE = -19,   /* no such opcode */
	CAP_EEXIST = -20,    /* the address range is taken */
};

/* ---- Rings ----
 *
 * One ring per thread, CAPOS_RING_SIZE bytes: a page of header, a page of submissions, a page of
 * completions.  %gs:0 holds the ring's own address.  Indices run freely; an entry's place is the
 * index modulo the (power of two) number of entries.  The kernel takes a submission only while a
 * completion's place is free for it, so completions are never lost: when completions are not read,
 * submissions stay where they
 * are. */
#define CAPOS_PAGE_SIZE  4096u
#define CAPOS_SQ_ENTRIES 32u
#define CAPOS_CQ_ENTRIES 128u
#define CAPOS_RING_SIZE  12288u /* three pages */

/* Most bytes in one message, and most capabilities beside it. */
#define CAPOS_MESSAGE_MAX      65536u
#define CAPOS_MESSAGE_CAPS_MAX 16u
/* Most bytes of a process's label. */
#define CAPOS_LABEL_MAX 192u
/* Most bytes in a message to an object that the kernel itself serves. */
#define CAPOS_KERNEL_MESSAGE_MAX 8192u

enum capos_op {
	/* cap: CAP_NULL, or a capability to test.  Completes with 0, CAP_EBADCAP, or CAP_EGONE when
	 * it leads to an object that nothing can serve any more.  Of an object, value: a number
	 * other than 0 that changes when the process that serves it ends.  arg: 0, or such a
	 * number: CAP_EGONE when it has changed since. */
	CAP_OP_NOP = 0,
	/* cap, interface, method, send_*, recv_*: calls a method.  Completes when the server
	 * answers; length, ncaps: what was received. */
	CAP_OP_CALL = 1,
	/* cap: an endpoint with RECV right.  recv_*: where a struct capos_received and, after it,
	 * the message go (recv_len counts both).  Completes with length: bytes of message. */
	CAP_OP_RECV = 2,
	/* arg: call id; status: 0 or a positive Status; send_*: the reply.  Completes at once; to a
	 * call that was cancelled it completes with CAP_ECANCELED and the capabilities stay the
	 * sender's. */
	CAP_OP_RETURN = 3,
	CAP_OP_RELEASE = 4, /* cap: give the capability up */
	/* arg: user_data of a pending operation of this ring.  That one completes with
	 * CAP_ECANCELED; this one with 0, or CAP_ENOENT when none is pending. */
	CAP_OP_CANCEL = 5,
	/* cap: endpoint with RECV right; arg: the object word, interface: its interface id.  Makes
	 * an object served there; completes with value: a capability to it.  The server receives
	 * CAPOS_RECEIVED_RELEASE when the last capability to it is gone.  An object minted by the
	 * process that receives on the endpoint ends with that process (CAP_EGONE); one minted by
	 * another lasts as long as the endpoint and is served by the next process that receives. */
	CAP_OP_MINT = 6,
	CAP_OP_COPY =
	        7, /* cap; arg: rights to keep.  Completes with value: another capability to it */
	CAP_OP_SIGNAL = 8, /* cap: Event with SIGNAL right; arg: bits to set */
	/* cap: Event with WAIT right; arg: mask.  Completes when a bit of mask is set, with value:
	 * those bits, which are cleared. */
	CAP_OP_WAIT = 9,
	/* send_addr: a 4-byte aligned word; arg: the value it is expected to have.  Completes with
	 * 0 when woken, CAP_EAGAIN at once when the word differs.  send_ncaps: bits of the caller's
	 * choice, by which FUTEX_WAKE finds it; 0: all. */
	CAP_OP_FUTEX_WAIT = 10,
	/* send_addr: word; arg: most to wake; send_ncaps: only of those that wait with one of these
	 * bits; 0: all.  Completes with value: woken. */
	CAP_OP_FUTEX_WAKE = 11,
	/* cap: Event with WAIT right; arg: how many times it had been signalled when the program
	 * looked last.  Completes with value: that number now, as soon as it is another.  Nothing
	 * is taken from the event, so any number of threads and processes can watch it, and none
	 * misses a signal between two watches. */
	CAP_OP_WATCH = 12,
	/* send_addr, recv_addr: two words; arg: most to wake of those that wait for the first;
	 * recv_len: most to let wait for the second instead.  Completes with value: both numbers
	 * together.  With CAPOS_SQE_COMPARE: CAP_EAGAIN at once when the first word differs from
	 * send_len. */
	CAP_OP_FUTEX_REQUEUE = 13,
	/* cap: MemoryObject with READ right, not of a device's memory or a DMAPool's; arg: offset;
	 * recv_addr, recv_len: where its bytes go; witness: CAP_NULL, or a capability without which
	 * the object is not to be read any more: what CAP_OP_NOP says of it comes first.  Completes
	 * with length: bytes copied, fewer at the object's end or where the memory cannot be
	 * written (CAP_EFAULT: not the first byte); value: the object's size; ncaps: not 0 when the
	 * object is marked (MemoryObject.mark). */
	CAP_OP_LOAD = 14,
	/* cap: MemoryObject with WRITE right, as made by createMemory, createSparse or slice (else
	 * CAP_ETYPE); arg: offset, or with CAPOS_SQE_APPEND the object's end; send_addr, send_len:
	 * the bytes; witness: as above.  Completes with length: bytes copied, up to the object's
	 * size or its limit, which makes it longer; value: the offset behind them; ncaps: as above.
	 * CAP_ENOMEM, CAP_EFAULT: nothing was copied. */
	CAP_OP_STORE = 15,
	CAP_OP_COUNT = 16,
};

/* sqe.flags */
#define CAPOS_SQE_QUIET   0x01u /* no completion on success */
#define CAPOS_SQE_APPEND  0x02u /* of CAP_OP_STORE */
#define CAPOS_SQE_COMPARE 0x04u /* of CAP_OP_FUTEX_REQUEUE */
/* Of CAP_OP_CALL: the answer is not waited for, so that a service which sleeps may go on sleeping
 * as long as programs run, for CAPOS_SLICE_NS at most, unless something else wakes it. */
#define CAPOS_SQE_UNHURRIED 0x08u

struct capos_sqe {
	uint8_t op;    /* enum capos_op */
	uint8_t flags; /* CAPOS_SQE_* */
	uint16_t method;
	int32_t status;
	uint64_t user_data; /* handed back in the completion */
	cap_t cap;
	uint64_t arg;
	uint64_t interface; /* Cap'n Proto type id of the interface called, or minted */
	uint64_t send_addr; /* message out */
	uint64_t send_caps; /* address of send_ncaps struct capos_send_cap */
	uint32_t send_len;
	uint32_t send_ncaps;
	uint64_t recv_addr; /* message in */
	uint64_t recv_caps; /* address of an array of recv_ncaps cap_t, filled on receipt */
	uint32_t recv_len;  /* size of the buffer at recv_addr in bytes */
	uint32_t recv_ncaps;
	cap_t witness;        /* of CAP_OP_LOAD and CAP_OP_STORE; else zero */
	uint64_t reserved[4]; /* zero */
};

struct capos_cqe {
	uint64_t user_data;
	int32_t result;  /* enum cap_error or Status */
	uint32_t length; /* bytes received */
	uint64_t value;
	uint32_t ncaps; /* capabilities received */
	uint32_t reserved;
};

/* A capability that goes with a message.  All of a message's capabilities travel, or none. */
struct capos_send_cap {
	cap_t cap;
	uint32_t rights; /* rights the receiver gets, as far as the sender has them */
	uint32_t flags;  /* CAPOS_SEND_* */
};
#define CAPOS_SEND_MOVE 0x01u /* the sender loses it when the message is delivered */
/* An Event with the right SIGNAL: when the process that receives it ends and still holds it, all
 * bits of the event are signalled.  So a client that waits for its server notices that the server
 * is gone (and tests with NOP that it is).  Copies that the receiver makes do not do that. */
#define CAPOS_SEND_HANGUP 0x02u

/* What RECV puts before the message. */
struct capos_received {
	uint32_t kind; /* enum capos_received_kind */
	uint16_t method;
	uint16_t ncaps;
	uint64_t object;       /* the word given at MINT */
	uint64_t call_id;      /* CALL, CANCEL: names the call in RETURN; never used again */
	uint64_t interface;    /* the interface that the caller named; checked to be the object's */
	uint64_t caller;       /* process id of the caller, for logs and accounts */
	uint32_t length;       /* bytes of message that follow */
	uint32_t recv_len;     /* size of the caller's buffer for the reply's message */
	uint64_t caller_label; /* CALL: the first bytes of the caller's label (Labeller) */
	uint64_t reserved;
};
enum capos_received_kind {
	CAPOS_RECEIVED_CALL = 1,
	CAPOS_RECEIVED_RELEASE = 2, /* object: its last capability is gone */
	CAPOS_RECEIVED_CANCEL = 3,  /* call_id: the caller no longer waits; answer it all the same
	                             * (the  RETURN frees it; its result is CAP_ECANCELED) */
};

/* ---- Upcalls ----
 *
 * An Event bound to a thread by Event.bindUpcall is that thread's set of pending signals: bits
 * signalled to it are or-ed into upcall_bits of the thread's ring.  While some are set, cap_enter
 * does not sleep (CAP_EINTR).  When besides upcall_mask is 0 and the thread is in user mode, the
 * kernel saves its registers in the ring's upcall_frame, sets upcall_mask to 1 and continues it at
 * the bound entry with the stack pointer lowered past the red zone and aligned to 16 bytes.  The
 * code there copies the frame before it clears upcall_mask, and takes the bits by an atomic
 * exchange.  Floating-point and vector registers are as they were; saving them is up to the
 * code. */
struct capos_upcall_frame {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
};

/* ---- The end of a thread ----
 *
 * What others wait for that a thread has in memory is given up when the thread ends, however it
 * ends.  The thread registers it in its ring; the kernel reads that when the thread runs no more,
 * and what makes no sense there has no effect on anybody else.
 *
 * A lock is a 4-byte aligned word: its owner's number in the bits of CAPOS_LOCK_OWNER (0: free),
 * and CAPOS_LOCK_WAITED while threads sleep for it.  When the owner ends, the word becomes
 * CAPOS_LOCK_DIED, with WAITED kept, and one thread that waits is woken.  This is Linux's layout of
 * a robust futex. */
#define CAPOS_LOCK_OWNER  0x3fffffffu
#define CAPOS_LOCK_DIED   0x40000000u
#define CAPOS_LOCK_WAITED 0x80000000u

#define CAPOS_LOCKS_HELD 4u    /* locks that hold each other, at most */
#define CAPOS_ROBUST_MAX 2048u /* entries of a list that are looked at, as on Linux */

struct capos_thread_end {
	/* Addresses of words of which it is the owner, or tries to become it, as number thread_id &
	 * CAPOS_LOCK_OWNER; 0: none. */
	uint64_t held[CAPOS_LOCKS_HELD];
	uint64_t robust_list;  /* a struct capos_robust_list; 0: none */
	uint32_t robust_owner; /* its number in the words of that list */
	uint32_t reserved;
	/* Set to 0 at the very end, and one thread that waits is woken; 0: none. */
	uint64_t exit_word;
};

/* As set_robust_list() has it on Linux. */
struct capos_robust_list {
	uint64_t next;    /* address of the first entry, whose first word is that of the next; the
	                 * last has the list's own */
	int64_t offset;   /* from an entry to its word */
	uint64_t pending; /* an entry that is just being put in or taken out; 0: none */
};

/* ---- Faults ----
 *
 * A thread that stores the address of code in fault.entry of its ring gets its own faults there;
 * without one they end the process.  The kernel describes the fault in fault, saves the registers
 * in its frame, sets fault.entry to 0 and upcall_mask to 1, and continues the thread at the entry
 * with the stack pointer at the end of the ring's first page, of which the part behind fault serves
 * as a small stack: the thread's own may be what is broken.  So one fault is delivered for each
 * time that the program stores an entry, and a fault in the code that handles one ends the process.
 * No memory left to resolve a fault with ends it in any case. */
enum capos_fault_cause {
	CAPOS_FAULT_UNMAPPED = 1, /* nothing is mapped at address */
	CAPOS_FAULT_ACCESS = 2,   /* what is mapped there does not allow the access */
	CAPOS_FAULT_BEYOND = 3,   /* the object that is mapped there has become shorter */
	CAPOS_FAULT_DIVISION = 4,
	CAPOS_FAULT_FLOATING = 5, /* the processor's floating-point state says which */
	CAPOS_FAULT_INSTRUCTION = 6,
	CAPOS_FAULT_BREAKPOINT = 7,
	CAPOS_FAULT_STEP = 8, /* the trap flag, or a trap instruction of the debugger's */
	CAPOS_FAULT_ALIGNMENT = 9,
	CAPOS_FAULT_STACK = 10, /* a stack address that no address can be */
	CAPOS_FAULT_OTHER = 11, /* among them any other address that none can be */
};

struct capos_fault {
	uint64_t entry;       /* user writes; the kernel sets it to 0 */
	uint64_t address;     /* of UNMAPPED, ACCESS, BEYOND: what was accessed; else 0 */
	uint64_t error;       /* the processor's error code */
	uint32_t vector;      /* and its number of the exception */
	uint32_t cause;       /* enum capos_fault_cause */
	uint32_t upcall_mask; /* as it was before */
	uint32_t reserved;
	struct capos_upcall_frame frame;
};

/* ---- Scheduling ----
 *
 * A thread's policy decides about the threads of its share alone (kernel/share.h); numbers and
 * meaning are Linux's.  Threads of FIFO and ROUND_ROBIN run before all others of the share, by
 * priority.  Among the others the slices go by the nice values; IDLE has the shortest. */
enum capos_policy {
	CAPOS_POLICY_OTHER = 0,
	CAPOS_POLICY_FIFO = 1,
	CAPOS_POLICY_ROUND_ROBIN = 2,
	CAPOS_POLICY_BATCH = 3,
	CAPOS_POLICY_IDLE = 5,
};
#define CAPOS_REALTIME_MAX 99 /* priorities from 1 on; of other policies 0 */
#define CAPOS_NICE_MIN     (-20)
#define CAPOS_NICE_MAX     19

struct capos_scheduling {
	uint8_t policy; /* enum capos_policy */
	uint8_t priority;
	uint8_t resets; /* its children and new threads begin without real time and with no nice
	                 * value below 0 */
	uint8_t reserved;
	int32_t nice;
};

struct capos_ring {
	uint64_t self; /* own address; written once by the kernel, never read back by it */
	uint64_t thread_id;
	uint32_t sq_head; /* kernel writes */
	uint32_t cq_tail; /* kernel writes */
	uint32_t sq_tail; /* user writes */
	uint32_t cq_head; /* user writes */
	uint32_t upcall_mask;
	uint32_t reserved0;
	uint64_t upcall_bits;
	uint64_t user_word[10]; /* the library's own, e.g. its per-thread state */
	struct capos_upcall_frame upcall_frame;
	struct capos_thread_end end;
	struct capos_fault fault;
	/* Processor time of the thread when it began to run last, and when that was, by the
	 * monotonic clock; the kernel writes both and never reads them. */
	uint64_t cpu_ns, runs_since_ns;
	struct capos_scheduling scheduling; /* the kernel writes it and never reads it */
	/* Not 0 while the thread holds a lock that all threads of the process need: then no other
	 * of its share runs before it, for a slice's time at most.  Has one to wait for that, the
	 * kernel sets overdue, and the thread yields when it has given the lock up (by real time:
	 * enters the kernel). */
	uint32_t urgent;
	uint32_t overdue;
	uint8_t fault_stack[CAPOS_PAGE_SIZE - 544];
	struct capos_sqe sq[CAPOS_SQ_ENTRIES];
	struct capos_cqe cq[CAPOS_CQ_ENTRIES];
};

_Static_assert(sizeof(struct capos_sqe) == 128, "submission layout");
_Static_assert(sizeof(struct capos_cqe) == 32, "completion layout");
_Static_assert(sizeof(struct capos_send_cap) == 16, "capability transfer layout");
_Static_assert(sizeof(struct capos_received) == 64, "received header layout");
_Static_assert(sizeof(struct capos_thread_end) == 56, "layout of a thread's end");
_Static_assert(sizeof(struct capos_robust_list) == 24, "layout of a robust list");
_Static_assert(sizeof(struct capos_fault) == 184, "fault layout");
_Static_assert(offsetof(struct capos_ring, sq) == CAPOS_PAGE_SIZE, "submissions on their own page");
_Static_assert(offsetof(struct capos_ring, cq) == 2 * (size_t)CAPOS_PAGE_SIZE, "completions too");
_Static_assert(sizeof(struct capos_ring) == CAPOS_RING_SIZE, "ring layout");

/* ---- Addresses ----
 *
 * User space is [CAPOS_USER_MIN, CAPOS_USER_MAX).  layout.h says where the parts of a process lie.
 * The first thread's stack ends at the top that its starter chose; that holds the start block (see
 * libcapos/include/capos/start.h), at whose first byte the stack pointer stands when the program's
 * entry point runs, as on
 * Linux. */
#define CAPOS_USER_MIN   0x0000000000010000ull
#define CAPOS_USER_MAX   0x00007ffffffff000ull
#define CAPOS_CLOCK_ADDR 0x00007fffffffd000ull /* read-only clock page, see clock.h */
#define CAPOS_STACK_TOP  0x00007ffffff00000ull /* where the starter chose none */
#define CAPOS_STACK_SIZE (8ull << 20)          /* reserved; pages appear when touched */

/* How long a thread may run while another of its class waits. */
#define CAPOS_SLICE_NS 10000000ull

#endif

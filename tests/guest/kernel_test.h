/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own test: a program that is started in init's place and so holds everything there
 * is.
 */
#ifndef KERNEL_TEST_H
#define KERNEL_TEST_H

#include <capos/cap.h>
#include <capos/schema/kernel_client.h>
#include "tap.h"

#define BOOT          CAP_GIVEN(0)
#define SPAWNER       CAP_GIVEN(1)
#define LOG           CAP_GIVEN(2)
#define TIMER         CAP_GIVEN(3)
#define ENTROPY       CAP_GIVEN(4)
#define POWER         CAP_GIVEN(5)
#define SYSTEM_STATUS CAP_GIVEN(6)
#define CODE          CAP_GIVEN(7)
#define LABELS        CAP_GIVEN(8)
#define DEVICES       CAP_GIVEN(9)

#define TEST_INTERFACE 0x1234567890abcdefull

/* Submits one entry and waits for its completion: its result. */
int run(struct capos_sqe *sqe, struct capos_cqe *cqe);
/* A thread of this process; its stack is used again by the third after it. */
void start_thread(void (*entry)(uint64_t), uint64_t argument);
_Noreturn void end_thread(void);
/* The file of the boot archive as a MemoryObject. */
cap_t find_file(const char *name);
/* Starts the file as a process with one argument and these capabilities; CAP_OK with its Process
 * capability. */
int start_process(cap_t image, const char *argument, const struct capos_send_cap *caps,
                  uint32_t ncaps, cap_t *process);
/* The bytes as code, which may be an image; CAP_NULL on failure. */
cap_t make_code(cap_t data);
/* How much memory it may take: pages, 0 for no limit. */
#define START_LIMIT_PAGES 2048u
extern uint64_t start_limit_pages;
/* The account in which it starts; CAP_NULL: one of its own, with that limit. */
extern cap_t start_account;
/* Waits for its end and gives the capability up: its status. */
uint32_t wait_for(cap_t process, char *reason, uint32_t size);

void test_ring(void);
void test_ipc(void);
void test_memory(void);
void test_code_and_data(void);
void test_time(void);
void test_process(void);
void test_fork(void);
void test_devices(void);
void test_account(void);
void test_depth(void);
void test_labels(void);
void test_share(void);

#endif

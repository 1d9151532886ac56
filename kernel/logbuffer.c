/* SPDX-License-Identifier: MIT */
/*
 * A ring of bytes with indices that run freely.  Works at any time, before there are processes and
 * after a panic; allocates nothing.
 */
#include "logbuffer.h"
#include "kernel.h"
#include "arch.h"
#include "work.h"

#define SIZE (64u << 10)
/* Processes leave so much for the kernel: some hundred lines. */
#define KERNEL_SHARE (16u << 10)
/* Bytes written to the port at once: what its buffer takes. */
#define PIECE 16u
/* A device access leaves the emulated processor, and most of its time is the host's. */
#define STEPS_BYTE 20u

static char buffer[SIZE];
static uint32_t head, tail; /* bytes taken out and put in */
static struct work draining;

static uint32_t place(void)
{
	return SIZE - (tail - head);
}

static void put(const char *bytes, size_t length)
{
	while (length > 0) {
		uint32_t at = tail % SIZE;
		size_t chunk = length < SIZE - at ? length : SIZE - at;
		memcpy(buffer + at, bytes, chunk);
		tail += (uint32_t)chunk;
		bytes += chunk;
		length -= chunk;
	}
}

static void write_piece(void)
{
	uint32_t at = head % SIZE;
	uint32_t length = tail - head < PIECE ? tail - head : PIECE;
	if (length > SIZE - at)
		length = SIZE - at;
	arch_serial_write(buffer + at, length);
	head += length;
	steps_spend(length * STEPS_BYTE);
}

static void drain(struct work *work)
{
	if (head != tail)
		write_piece();
	if (head != tail)
		work_add_rest(work, drain);
}

void logbuffer_kernel(const char *line, size_t length)
{
	while (place() < length)
		write_piece();
	put(line, length);
	work_add_rest(&draining, drain);
}

bool logbuffer_process(const char *name, size_t name_length, const char *text, size_t length)
{
	if (place() < KERNEL_SHARE + name_length + length)
		return false;
	put(name, name_length);
	put(text, length);
	work_add_rest(&draining, drain);
	return true;
}

uint32_t logbuffer_end(void)
{
	return tail;
}

bool logbuffer_write_to(uint32_t end)
{
	while ((int32_t)(end - head) > 0) {
		if (steps_over())
			return false;
		write_piece();
	}
	return true;
}

void logbuffer_flush(void)
{
	while (head != tail)
		write_piece();
}

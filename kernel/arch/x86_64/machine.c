/* SPDX-License-Identifier: MIT */
/*
 * The rest of the machine: the serial port, turning off, and what randomness the processor has. All
 * of it works without memory allocation, and after a panic.
 */
#include <capos/panic.h>

#include "logbuffer.h"
#include "x86.h"

/* ---- Serial port ---- */

#define COM1           0x3f8
#define UART_DATA      (COM1 + 0)
#define UART_INTERRUPT (COM1 + 1)
#define UART_FIFO      (COM1 + 2)
#define UART_LINE      (COM1 + 3)
#define UART_MODEM     (COM1 + 4)
#define UART_STATUS    (COM1 + 5)
#define STATUS_EMPTY   0x20
#define STATUS_IDLE    0x40 /* nothing is left to send */
#define LINE_DIVISOR   0x80
#define LINE_8N1       0x03
#define FIFO_ENABLE    0x07
#define FIFO_SIZE      16u
#define EMPTY_TRIES \
	200000u /* longer than 16 characters take at 115200 baud: then no port listens */

static bool serial_present;

void serial_init(void)
{
	outb(UART_INTERRUPT, 0);
	outb(UART_LINE, LINE_DIVISOR);
	outb(UART_DATA, 1); /* 115200 baud */
	outb(UART_INTERRUPT, 0);
	outb(UART_LINE, LINE_8N1);
	outb(UART_FIFO, FIFO_ENABLE);
	outb(UART_MODEM, 0x03);
	serial_present = inb(UART_STATUS) != 0xff;
}

void arch_serial_write(const char *text, size_t length)
{
	while (serial_present && length > 0) {
		unsigned tries = 0;
		while ((inb(UART_STATUS) & STATUS_EMPTY) == 0)
			if (++tries == EMPTY_TRIES)
				return;
		for (unsigned i = 0; i < FIFO_SIZE && length > 0; i++, length--)
			outb(UART_DATA, (uint8_t)*text++);
	}
}

/* ---- Turning off ---- */

#define RESET_CONTROL       0xcf9
#define RESET_HARD          0x06
#define KEYBOARD_COMMAND    0x64
#define KEYBOARD_RESET      0xfe
#define PM1_SLEEP_TYPE(x)   ((uint16_t)((x) << 10))
#define PM1_SLEEP_ENABLE    (1u << 13)
#define PM1_SLEEP_TYPE_MASK (7u << 10)

static _Noreturn void reset(void)
{
	const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing = {0, 0};

	outb(RESET_CONTROL, RESET_HARD & ~4u);
	outb(RESET_CONTROL, RESET_HARD);
	outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
	__asm__ volatile("lidt %0; int3" : : "m"(nothing)); /* a triple fault resets too */
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void sleep(uint16_t port, uint16_t type)
{
	uint16_t value = inw(port) & (uint16_t)~PM1_SLEEP_TYPE_MASK;
	outw(port, value | PM1_SLEEP_TYPE(type) | PM1_SLEEP_ENABLE);
}

void arch_shutdown(void)
{
	uint16_t a, b;

	logbuffer_flush();
	if (acpi_facts.pm1a_control_port != 0 && acpi_find_s5(&a, &b)) {
		sleep(acpi_facts.pm1a_control_port, a);
		if (acpi_facts.pm1b_control_port != 0)
			sleep(acpi_facts.pm1b_control_port, b);
	}
	reset();
}

void arch_halt_after_panic(void)
{
	logbuffer_flush();
	/* What was written last must have left the serial port. */
	for (unsigned i = 0; serial_present && i < EMPTY_TRIES; i++)
		if (inb(UART_STATUS) & STATUS_IDLE)
			break;
	outb(CAPOS_PANIC_PORT, CAPOS_PANIC_VALUE);
	reset();
}

/* ---- Randomness ---- */

#define CPUID_RDRAND (1u << 30) /* leaf 1, ecx */
#define CPUID_RDSEED (1u << 18) /* leaf 7, ebx */
#define RANDOM_TRIES 10u

static bool rdseed(uint64_t *value)
{
	bool ok;
	__asm__ volatile("rdseed %0" : "=r"(*value), "=@ccc"(ok));
	return ok;
}

static bool rdrand(uint64_t *value)
{
	bool ok;
	__asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(ok));
	return ok;
}

void arch_random_seed(uint8_t *buffer, size_t size)
{
	static int has_rdseed = -1, has_rdrand;
	static uint64_t jitter;

	if (has_rdseed < 0) {
		has_rdseed = cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & CPUID_RDSEED) != 0;
		has_rdrand = (cpuid(1, 0).ecx & CPUID_RDRAND) != 0;
	}
	while (size > 0) {
		uint64_t value = 0, other = 0;
		bool ok = false;
		for (unsigned i = 0; has_rdseed && !ok && i < RANDOM_TRIES; i++)
			ok = rdseed(&value);
		for (unsigned i = 0; has_rdrand && !ok && i < RANDOM_TRIES; i++)
			ok = rdrand(&other);
		/* Timing goes in too, spread over the word: all there is on old processors. */
		jitter = (jitter ^ rdtsc()) * 0x9e3779b97f4a7c15ull;
		jitter ^= jitter >> 29;
		value ^= other ^ jitter;
		size_t chunk = size < sizeof(value) ? size : sizeof(value);
		memcpy(buffer, &value, chunk);
		buffer += chunk;
		size -= chunk;
	}
}

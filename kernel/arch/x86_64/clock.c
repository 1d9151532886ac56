/* SPDX-License-Identifier: MIT */
/*
 * The clock: the time-stamp counter, whose rate is measured against the ACPI power management timer
 * or, without one, the programmable interval timer.  A short measurement serves at boot; a longer
 * one, at the first interrupt after REFINE_NS, replaces it, the clock going on from where it
 * stands.
 */
#include <capos/clock.h>
#include "memory/memobj.h"
#include "x86.h"

#define NS_PER_SECOND 1000000000ull
#define SHIFT         32u

#define BOOT_WINDOW_US 1000u /* least time measured at boot: the rate is then good to some 1e-4 */
#define REFINE_NS      50000000u /* measured over this and more: to 1e-5 */

#define PM_TIMER_HZ 3579545u
#define PIT_HZ      1193182u
#define PIT_COUNTER 0x40
#define PIT_COMMAND 0x43

#define TSC_PATIENCE (1ull << 34) /* seconds, whatever the processor's rate */

/* A reading is kept only when it took least of so many: the others were interrupted by the host. */
#define SAMPLE_TRIES 8u

struct sample {
	uint64_t tsc;       /* when reference was read */
	uint32_t reference; /* counts up */
	uint64_t apic_tsc;  /* when apic was read */
	uint32_t apic;      /* counts down */
};

static struct sample first;
static uint32_t reference_hz;
static uint32_t reference_mask;
static bool refined;
static uint64_t tsc_hz;
static struct memobj *clock_object;
static struct capos_clock_page *page; /* NULL: the clock does not go yet */

uint64_t clock_apic_mult;

/* a * b / c; the quotient must fit. */
static uint64_t muldiv(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t quotient, remainder;

	__asm__("mulq %3\n\tdivq %4"
	        : "=&a"(quotient), "=&d"(remainder)
	        : "0"(a), "r"(b), "r"(c)
	        : "cc");
	return quotient;
}

/* ---- Measuring ---- */

static uint32_t read_reference(void)
{
	if (acpi_facts.pm_timer_port != 0)
		return inl(acpi_facts.pm_timer_port) & reference_mask;
	outb(PIT_COMMAND, 0x00); /* latch counter 0 */
	uint32_t count = inb(PIT_COUNTER);
	count |= (uint32_t)inb(PIT_COUNTER) << 8;
	return (0u - count) & reference_mask;
}

static void start_reference(void)
{
	if (acpi_facts.pm_timer_port != 0) {
		reference_hz = PM_TIMER_HZ;
		reference_mask = acpi_facts.pm_timer_32bit ? UINT32_MAX : 0xffffffu;
		return;
	}
	reference_hz = PIT_HZ;
	reference_mask = 0xffff;
	outb(PIT_COMMAND, 0x34); /* counter 0, both bytes, mode 2; its interrupt is masked */
	outb(PIT_COUNTER, 0);
	outb(PIT_COUNTER, 0);
}

/* Reads a counter; *tsc: the middle of the quickest of several readings. */
static uint32_t read_closely(uint32_t (*counter)(void), uint64_t *tsc)
{
	uint64_t least = UINT64_MAX;
	uint32_t best = 0;

	*tsc = 0;
	for (unsigned i = 0; i < SAMPLE_TRIES; i++) {
		uint64_t before = rdtsc();
		uint32_t value = counter();
		uint64_t took = rdtsc() - before;
		if (took < least) {
			least = took;
			best = value;
			*tsc = before + took / 2;
		}
	}
	return best;
}

static void take_sample(struct sample *s)
{
	s->reference = read_closely(read_reference, &s->tsc);
	s->apic = read_closely(apic_timer_count, &s->apic_tsc);
}

void clock_sample_early(void)
{
	start_reference();
	apic_timer_start_count();
	take_sample(&first);
}

/* Reference ticks since the first sample.  The counter may have wrapped: the rate known so far
 * tells how often. */
static uint64_t reference_elapsed(const struct sample *now)
{
	uint64_t ticks = (now->reference - first.reference) & reference_mask;
	uint64_t wrap = (uint64_t)reference_mask + 1;

	if (tsc_hz != 0) {
		uint64_t expected = muldiv(now->tsc - first.tsc, reference_hz, tsc_hz);
		if (expected > ticks)
			ticks += (expected - ticks + wrap / 2) / wrap * wrap;
	}
	return ticks;
}

/* Sets the rates from the first sample and this one. */
static void measure(const struct sample *now)
{
	tsc_hz = muldiv(now->tsc - first.tsc, reference_hz, reference_elapsed(now));
}

static void measure_apic(const struct sample *now)
{
	uint64_t ticks = first.apic - now->apic;

	if (ticks == 0) /* the timer compares with the TSC itself */
		return;
	uint64_t hz = muldiv(ticks, tsc_hz, now->apic_tsc - first.apic_tsc);
	clock_apic_mult = (hz << 32) / NS_PER_SECOND;
}

/* ---- The clock ---- */

static uint64_t clock_at(uint64_t tsc)
{
	uint64_t passed = tsc - page->base_tsc;
	return page->base_ns + (uint64_t)((unsigned __int128)passed * page->mult >> SHIFT);
}

/* The clock goes on from its present time at the rate last measured. */
static void set_rate(void)
{
	uint64_t tsc = rdtsc();
	uint64_t ns = page->mult != 0 ? clock_at(tsc) : 0;

	__atomic_store_n(&page->seq, page->seq + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	page->shift = SHIFT;
	page->mult = muldiv(NS_PER_SECOND, 1ull << SHIFT, tsc_hz);
	page->base_tsc = tsc;
	page->base_ns = ns;
	page->tsc_hz = tsc_hz;
	__atomic_store_n(&page->seq, page->seq + 1, __ATOMIC_RELEASE);
}

void clock_refine(void)
{
	struct sample now = {0};

	if (refined || arch_clock_ns() < REFINE_NS)
		return;
	refined = true;
	now.reference = read_closely(read_reference, &now.tsc);
	measure(&now);
	set_rate();
}

uint64_t arch_clock_ns(void)
{
	return page ? clock_at(rdtsc()) : 0;
}

uint64_t clock_to_tsc(uint64_t ns)
{
	return ns > page->base_ns
	               ? page->base_tsc + muldiv(ns - page->base_ns, 1ull << SHIFT, page->mult)
	               : page->base_tsc;
}

struct memobj *arch_clock_object(void)
{
	return clock_object;
}

/* ---- The time of day ---- */

#define RTC_INDEX       0x70
#define RTC_DATA        0x71
#define RTC_STATUS_A    0x0a
#define RTC_STATUS_B    0x0b
#define RTC_ABSENT      0xff /* what a port without a device reads as */
#define RTC_UPDATING    0x80
#define RTC_BINARY      0x04
#define RTC_24_HOURS    0x02
#define RTC_AFTERNOON   0x80
#define RTC_TRIES       100000u /* an update takes 2 ms */
#define RTC_FIELDS      6u      /* second, minute, hour, day, month, year */
#define SECONDS_PER_DAY 86400
#define DEFAULT_CENTURY 20u

static uint8_t read_rtc(uint8_t index)
{
	outb(RTC_INDEX, index);
	return inb(RTC_DATA);
}

static void read_rtc_fields(uint8_t fields[RTC_FIELDS])
{
	static const uint8_t index[RTC_FIELDS] = {0, 2, 4, 7, 8, 9};

	for (unsigned i = 0; i < RTC_TRIES && (read_rtc(RTC_STATUS_A) & RTC_UPDATING) != 0; i++)
		;
	for (unsigned i = 0; i < RTC_FIELDS; i++)
		fields[i] = read_rtc(index[i]);
}

static unsigned from_bcd(unsigned value)
{
	return (value >> 4) * 10 + (value & 15);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	/* Years that begin in March have their leap day at the end. */
	year -= month <= 2;
	unsigned from_march = (month + 9) % 12;
	int64_t days = year * 365 + year / 4 - year / 100 + year / 400;
	return days + (153 * from_march + 2) / 5 + day - 1 - 719468;
}

static int64_t unix_time(void)
{
	uint8_t f[RTC_FIELDS], again[RTC_FIELDS];

	if (read_rtc(RTC_STATUS_A) == RTC_ABSENT)
		return 0;
	do { /* until two readings agree: none was made while the clock moved on */
		read_rtc_fields(f);
		read_rtc_fields(again);
	} while (memcmp(f, again, sizeof(f)) != 0);
	uint8_t status = read_rtc(RTC_STATUS_B);
	bool bcd = (status & RTC_BINARY) == 0;
	bool afternoon = (status & RTC_24_HOURS) == 0 && (f[2] & RTC_AFTERNOON) != 0;
	unsigned century =
	        acpi_facts.century_register != 0 ? read_rtc(acpi_facts.century_register) : 0;

	f[2] &= (uint8_t)~RTC_AFTERNOON;
	for (unsigned i = 0; bcd && i < RTC_FIELDS; i++)
		f[i] = (uint8_t)from_bcd(f[i]);
	if (bcd)
		century = from_bcd(century);
	if (century < DEFAULT_CENTURY)
		century = DEFAULT_CENTURY;
	unsigned hour = (status & RTC_24_HOURS) != 0 ? f[2] : f[2] % 12 + (afternoon ? 12 : 0);
	int64_t days = days_of((int64_t)century * 100 + f[5], f[4], f[3]);
	return days * SECONDS_PER_DAY + (int64_t)hour * 3600 + (int64_t)f[1] * 60 + f[0];
}

/* ---- Start ---- */

void clock_init(void)
{
	struct sample now = {0};

	do {
		take_sample(&now);
		if (now.tsc - first.tsc > TSC_PATIENCE)
			panic("neither the ACPI timer nor the interval timer goes");
	} while (reference_elapsed(&now) < (uint64_t)reference_hz * BOOT_WINDOW_US / 1000000);
	measure(&now);
	measure_apic(&now);

	clock_object = memobj_create(PAGE_SIZE, NULL);
	paddr_t frame = clock_object ? memobj_frame(clock_object, 0, true) : PADDR_NONE;
	if (frame == PADDR_NONE)
		panic("no memory for the clock");
	page = page_ptr(frame);
	set_rate();
	page->realtime_offset_ns = unix_time() * (int64_t)NS_PER_SECOND - (int64_t)arch_clock_ns();
	page->memory_pages = page_total();
}

/* SPDX-License-Identifier: MIT */
/*
 * The local interrupt controller and its timer.  Arming is lazy: an interrupt that comes before the
 * wanted time is not taken back, the handler arms the rest; so most changes of the deadline cost no
 * device access, and an idle machine sees at most one interrupt too many.
 */
#include "x86.h"

#define REG_ID            0x020u
#define REG_TASK_PRIORITY 0x080u
#define REG_EOI           0x0b0u
#define REG_SPURIOUS      0x0f0u
#define REG_LVT_TIMER     0x320u
#define REG_LVT_LINT0     0x350u
#define REG_LVT_LINT1     0x360u
#define REG_LVT_ERROR     0x370u
#define REG_TIMER_INITIAL 0x380u
#define REG_TIMER_CURRENT 0x390u
#define REG_TIMER_DIVIDE  0x3e0u

#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_X2     (1ull << 10)
#define SPURIOUS_ENABLE  0x100u
#define LVT_MASKED       (1u << 16)
#define LVT_TSC_DEADLINE (2u << 17)
#define DIVIDE_BY_16     3u

#define CPUID_X2APIC       (1u << 21)
#define CPUID_TSC_DEADLINE (1u << 24)

/* One arming reaches at most this far; the rest is armed when it has passed. */
#define REACH_NS 60000000000ull

/* The timer's rate is known to some 1e-4: one part in 2^11 more, or every other interrupt would
 * come too early and need a second one. */
#define LATE_SHIFT 11u

#define MSI_ADDRESS 0xfee00000ull

static volatile uint32_t *registers; /* NULL: by MSR */
static bool by_deadline;

static uint32_t read(uint32_t reg)
{
	return registers ? registers[reg / 4] : (uint32_t)rdmsr(MSR_X2APIC + (reg >> 4));
}

static void write(uint32_t reg, uint32_t value)
{
	if (registers)
		registers[reg / 4] = value;
	else
		wrmsr(MSR_X2APIC + (reg >> 4), value);
}

/* The old controllers: masked for good, everything comes by message. */
static void mask_pic(void)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

void apic_init(void)
{
	uint32_t features = cpuid(1, 0).ecx;
	uint64_t base = rdmsr(MSR_APIC_BASE);

	mask_pic();
	by_deadline = (features & CPUID_TSC_DEADLINE) != 0;
	if ((features & CPUID_X2APIC) != 0) {
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2);
		arch_this_cpu()->apic_id = read(REG_ID);
	} else {
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
		registers = arch_map_device(base & PTE_FRAME, PAGE_SIZE);
		if (!registers)
			panic("no memory to map the interrupt controller");
		arch_this_cpu()->apic_id = read(REG_ID) >> 24;
	}
	write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	write(REG_TASK_PRIORITY, 0);
	write(REG_LVT_LINT0, LVT_MASKED);
	write(REG_LVT_LINT1, LVT_MASKED);
	write(REG_LVT_ERROR, VECTOR_ERROR);
	write(REG_TIMER_DIVIDE, DIVIDE_BY_16);
	write(REG_LVT_TIMER, by_deadline ? LVT_TSC_DEADLINE | VECTOR_TIMER : VECTOR_TIMER);
}

void apic_end_of_interrupt(void)
{
	write(REG_EOI, 0);
}

void apic_timer_start_count(void)
{
	if (!by_deadline)
		write(REG_TIMER_INITIAL, UINT32_MAX);
}

uint32_t apic_timer_count(void)
{
	return by_deadline ? UINT32_MAX : read(REG_TIMER_CURRENT);
}

static void arm(struct arch_cpu *cpu, uint64_t deadline, uint64_t now)
{
	uint64_t wait = deadline > now ? deadline - now : 0;

	if (wait > REACH_NS)
		wait = REACH_NS;
	cpu->timer_armed = now + wait;
	if (by_deadline) {
		wrmsr(MSR_TSC_DEADLINE, clock_to_tsc(now + wait) + 1);
		return;
	}
	uint64_t count = (uint64_t)((unsigned __int128)wait * clock_apic_mult >> 32) + 1;
	count += count >> LATE_SHIFT;
	write(REG_TIMER_INITIAL, count < UINT32_MAX ? (uint32_t)count : UINT32_MAX);
}

void arch_timer_set(uint64_t deadline_ns)
{
	struct arch_cpu *cpu = arch_this_cpu();

	cpu->timer_deadline = deadline_ns;
	if (deadline_ns < cpu->timer_armed)
		arm(cpu, deadline_ns, arch_clock_ns());
}

bool apic_timer_due(void)
{
	struct arch_cpu *cpu = arch_this_cpu();
	uint64_t now = arch_clock_ns();

	cpu->timer_armed = UINT64_MAX;
	if (cpu->timer_deadline <= now) {
		cpu->timer_deadline = UINT64_MAX;
		return true;
	}
	if (cpu->timer_deadline != UINT64_MAX)
		arm(cpu, cpu->timer_deadline, now);
	return false;
}

void arch_msi_message(unsigned vector, uint64_t *address, uint32_t *data)
{
	*address = MSI_ADDRESS | (uint64_t)arch_this_cpu()->apic_id << 12;
	*data = vector; /* fixed delivery, edge */
}

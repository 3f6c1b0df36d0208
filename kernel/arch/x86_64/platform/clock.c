/* SPDX-License-Identifier: MIT */
/*
 * Time. The TSC is the clock. CPUID may state the rates of the TSC and of the local APIC's timer;
 * else both are measured against the ACPI PM timer, or the PIT where there is none.
 *
 * The measurement ends after a number of reads of the reference, not after a time. Where a read is
 * slow, this takes about a millisecond; where the machine counts instructions as time, it costs few
 * instructions. It begins and ends at an edge of the reference, so its error is two reads.
 */
#include "../x86.h"
#include <kernel/panic.h>

#define NS_PER_S    1000000000ull
#define PM_HZ       3579545ull
#define PM_MASK     0xffffffu
#define PIT_HZ      1193182ull
#define PIT_MASK    0xffffu
#define READS       6000u
#define LEAST_TICKS 64u
#define EDGE_TRIES  4u
#define STUCK       1000000u

#define PIT_DATA2   0x42u
#define PIT_COMMAND 0x43u
#define PIT_GATE    0x61u

#define RTC_INDEX  0x70u
#define RTC_DATA   0x71u
#define RTC_BINARY 0x04u
#define RTC_24H    0x02u

static uint64_t tsc_mult;   /* ns = (tsc - origin) * mult >> SHIFT */
static uint64_t timer_mult; /* timer ticks = ns * mult >> SHIFT */
static uint64_t origin_ns;  /* value of the product at monotonic 0, modulo 2^64 */
static int64_t wall_offset;

#define SHIFT 32u

static uint64_t multiply_scaled(uint64_t value, uint64_t mult)
{
    return (uint64_t)(((unsigned __int128)value * mult) >> SHIFT);
}

/* ---- the reference clock ---- */

struct reference {
    uint64_t hz;
    uint32_t mask;
    bool pit;
};

static uint32_t read_reference(const struct reference *ref)
{
    uint32_t lo;

    if (!ref->pit)
        return x86_inl(x86_acpi.pm_timer) & PM_MASK;
    x86_outb(PIT_COMMAND, 0x80); /* latch channel 2 */
    lo = x86_inb(PIT_DATA2);
    return ~(lo | (uint32_t)x86_inb(PIT_DATA2) << 8) & PIT_MASK; /* counts down */
}

static struct reference choose_reference(void)
{
    if (x86_acpi.pm_timer && x86_inl(x86_acpi.pm_timer) != ~0u)
        return (struct reference){ PM_HZ, PM_MASK, false };
    x86_outb(PIT_GATE, (uint8_t)((x86_inb(PIT_GATE) & 0xfcu) | 1u));
    x86_outb(PIT_COMMAND, 0xb4); /* channel 2, both bytes, rate generator */
    x86_outb(PIT_DATA2, 0);
    x86_outb(PIT_DATA2, 0);
    return (struct reference){ PIT_HZ, PIT_MASK, true };
}

/* The three counters just after an edge of the reference. */
struct moment {
    uint64_t tsc;
    uint64_t doubt; /* length in TSC ticks of the interval that has the edge */
    uint32_t ref;
    uint32_t timer;
};

/* Waits for the next edge of the reference. */
static struct moment find_edge(const struct reference *ref)
{
    uint32_t from = read_reference(ref);
    uint64_t before = x86_rdtsc();
    struct moment m;

    for (unsigned i = 0; i < STUCK; i++) {
        m.tsc = x86_rdtsc();
        m.ref = read_reference(ref);
        m.timer = x86_apic_timer_left();
        m.doubt = x86_rdtsc() - before;
        if (m.ref != from)
            return m;
        before = m.tsc;
    }
    panic("the reference clock does not advance");
}

/* The host may suspend the core between two instructions, so this takes the most precise of several
 * edges. */
static struct moment find_best_edge(const struct reference *ref)
{
    struct moment best = find_edge(ref);

    for (unsigned i = 1; i < EDGE_TRIES; i++) {
        struct moment m = find_edge(ref);

        if (m.doubt < best.doubt)
            best = m;
    }
    return best;
}

/* Measures both rates against the reference; counts its ticks over wraps. */
static void measure_rates(uint64_t *tsc_hz, uint64_t *timer_hz)
{
    struct reference ref = choose_reference();
    struct moment first, last;
    uint32_t ticks = 0, at;

    x86_apic_timer_start(~0u);
    first = find_best_edge(&ref);
    at = first.ref;
    for (unsigned i = 0; i < READS || ticks < LEAST_TICKS; i++) {
        uint32_t now = read_reference(&ref);

        ticks += (now - at) & ref.mask;
        at = now;
    }
    last = find_best_edge(&ref);
    ticks += (last.ref - at) & ref.mask;
    *tsc_hz = (last.tsc - first.tsc) * ref.hz / ticks;
    *timer_hz = (uint64_t)(first.timer - last.timer) * ref.hz / ticks;
    x86_apic_timer_start(0);
}

/* The rates that the processor or the hypervisor states; 0: unknown. */
static void read_stated_rates(uint64_t *tsc_hz, uint64_t *timer_hz)
{
    uint32_t most = x86_cpuid(0, 0).a;
    struct x86_cpuid leaf;

    *tsc_hz = *timer_hz = 0;
    if (x86_cpuid(0x40000000u, 0).a >= 0x40000010u && (x86_cpuid(1, 0).c >> 31)) {
        leaf = x86_cpuid(0x40000010u, 0);
        *tsc_hz = leaf.a * 1000ull;
        *timer_hz = leaf.b * 1000ull;
    } else if (most >= 0x15) {
        leaf = x86_cpuid(0x15, 0);
        if (leaf.a && leaf.b && leaf.c) {
            *tsc_hz = (uint64_t)leaf.c * leaf.b / leaf.a;
            *timer_hz = leaf.c;
        }
    }
}

/* ---- wall clock ---- */

static uint8_t read_rtc_register(uint8_t reg)
{
    x86_outb(RTC_INDEX, reg);
    return x86_inb(RTC_DATA);
}

static void read_rtc(uint8_t out[6])
{
    static const uint8_t reg[6] = { 0, 2, 4, 7, 8, 9 }; /* s min h day month year */

    for (unsigned i = 0; i < 6; i++)
        out[i] = read_rtc_register(reg[i]);
}

static uint32_t decode_rtc_field(uint8_t raw, uint8_t status)
{
    return status & RTC_BINARY ? raw : (raw >> 4) * 10u + (raw & 15u);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static uint64_t days_since_1970(uint32_t year, uint32_t month, uint32_t day)
{
    uint32_t y = month > 2 ? year : year - 1; /* years begin in March */
    uint32_t m = month > 2 ? month - 3 : month + 9;

    return 365ull * y + y / 4 - y / 100 + y / 400 + (153u * m + 2) / 5 + day - 1 - 719468;
}

static uint32_t decode_rtc_hour(uint8_t raw, uint8_t status)
{
    uint32_t hour = decode_rtc_field(raw & 0x7f, status);

    if (status & RTC_24H)
        return hour;
    return hour % 12 + (raw & 0x80 ? 12 : 0);
}

/* Seconds since 1970. Reads until two readings are equal: then no update came between them. */
static uint64_t read_rtc_seconds(void)
{
    uint8_t a[6], b[6];
    uint8_t status = read_rtc_register(0x0b);
    uint64_t date; /* in days */
    uint32_t month;

    read_rtc(a);
    for (unsigned tries = 0; tries < 8; tries++) {
        bool same = true;

        read_rtc(b);
        for (unsigned i = 0; i < 6; i++) {
            same &= a[i] == b[i];
            a[i] = b[i];
        }
        if (same)
            break;
    }
    month = decode_rtc_field(a[4], status);
    if (month < 1 || month > 12)
        return 0;
    date = days_since_1970(2000 + decode_rtc_field(a[5], status), month,
                           decode_rtc_field(a[3], status));
    return date * 86400 + decode_rtc_hour(a[2], status) * 3600u +
           decode_rtc_field(a[1], status) * 60u + decode_rtc_field(a[0], status);
}

/* ---- functions of arch.h ---- */

void x86_clock_init(void)
{
    uint64_t tsc_hz, timer_hz;

    read_stated_rates(&tsc_hz, &timer_hz);
    if (!tsc_hz || !timer_hz)
        measure_rates(&tsc_hz, &timer_hz);
    if (!tsc_hz || !timer_hz || timer_hz >> SHIFT)
        panic("no clock: TSC %llu Hz, timer %llu Hz", (unsigned long long)tsc_hz,
              (unsigned long long)timer_hz);
    tsc_mult = (NS_PER_S << SHIFT) / tsc_hz;
    timer_mult = (timer_hz << SHIFT) / NS_PER_S;
    origin_ns = multiply_scaled(x86_entry_tsc, tsc_mult);
    wall_offset = (int64_t)(read_rtc_seconds() * NS_PER_S) - (int64_t)arch_clock_ns();
}

void arch_clock_params(struct arch_clock *out)
{
    *out = (struct arch_clock){
        .mult = tsc_mult,
        .shift = SHIFT,
        .offset = -(int64_t)origin_ns,
        .wall_offset = wall_offset,
    };
}

uint64_t arch_clock_ns(void)
{
    return multiply_scaled(x86_rdtsc(), tsc_mult) - origin_ns;
}

void arch_clock_continue(uint64_t ns)
{
    uint64_t forward = ns - arch_clock_ns();

    origin_ns -= forward;
    wall_offset -= (int64_t)forward;
}

uint64_t arch_boot_ticks(void)
{
    return x86_rdtsc() - x86_entry_tsc;
}

void arch_timer_set(uint64_t deadline_ns)
{
    uint64_t now, ticks;

    if (deadline_ns == UINT64_MAX) {
        x86_apic_timer_start(0);
        return;
    }
    now = arch_clock_ns();
    ticks = deadline_ns > now ? multiply_scaled(deadline_ns - now, timer_mult) + 1 : 1;
    x86_apic_timer_start(ticks > ~0u ? ~0u : (uint32_t)ticks);
}

/* SPDX-License-Identifier: MIT */
/*
 * Tests the machine's module without the rest of the kernel, which this file replaces: arch,
 * frames, small allocations, log and random bytes. It runs the routines of machine_user.S in user
 * mode, one after the other, and checks the event that ends each. The log's last line has the sum.
 *
 * A step is a routine, a function for its CALL_KERN, and the check of the event that ends it.
 */
#include <arch/x86_64/x86.h>
#include <kernel/boot.h>
#include <kernel/init.h>
#include <kernel/kmem.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/phys.h>
#include <kernel/random.h>
#include <lib/string.h>
#include <twz/hostlink.h>
#include <twz/object.h>
#include <twz/view.h>
#include "machine.h"

#define TEXT_SLOT 1u
#define DATA_SLOT 2u
#define LAST_SLOT (TWZ_SLOTS - 1)
#define TEXT_ADDR (TWZ_SLOT_ADDR(TEXT_SLOT) + 4096)
#define DATA_ADDR (TWZ_SLOT_ADDR(DATA_SLOT) + 4096)

#define GOOD_WORD  0x600du
#define MEDIA_ADDR 0x12345000ull

enum { CALL_NULL, CALL_DONE, CALL_KERN };
enum event_kind { EV_DONE, EV_TRAP, EV_FAULT };

struct event {
    enum event_kind kind;
    uint64_t value;  /* DONE: rdi; TRAP: vector; FAULT: address */
    uint64_t detail; /* TRAP: error code; FAULT: access */
    struct arch_frame frame;
};

struct step {
    const char *name;
    const char *routine;
    void (*kern)(struct arch_frame *frame);
    bool (*check)(const struct event *ev);
};

extern const char user_start[], user_end[], user_last[];
extern const char user_registers[], user_registers_trap[], user_null_calls[], user_flags[],
    user_flags_trap[], user_trace[], user_trace_call[], user_divide[], user_jump_far[],
    user_breakpoint[], user_int80[], user_cli[], user_port[], user_rdmsr[], user_sgdt[],
    user_read_kernel[], user_read_absent[], user_write_absent[], user_write_readonly[],
    user_write_text[], user_run_data[], user_bases[], user_bad_base[], user_vector[], user_kern[],
    user_wait[], user_reader[];

static struct arch_ptree text = { .top = PHYS_NONE }, data = { .top = PHYS_NONE };
static struct arch_ptree last = { .top = PHYS_NONE };
static struct arch_root root;
static phys_t data_frame[4];
static unsigned at_step, passed, failed;
static volatile uint64_t timers, reschedules, irqs;
static volatile uint32_t idle_cores, reader_done;
static uint64_t reader_bad;
static uint64_t media_addr;
static bool ok; /* result of the step's kern function */

void add_result(const char *name, bool good)
{
    good ? passed++ : failed++;
    log_printf("%s %s", good ? "ok   " : "FAIL ", name);
}

static uint64_t flags_now(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0" : "=r"(flags));
    return flags;
}

#define KERNEL_UNCLEAN 0x44700ull /* AC NT DF IF TF */

/* ---- functions for CALL_KERN ---- */

static void kern_flags(struct arch_frame *frame)
{
    ok = !(flags_now() & KERNEL_UNCLEAN) && (frame->regs.rflags & 0x244400) == 0x244400;
}

static void kern_bases(struct arch_frame *frame)
{
    arch_frame_sync(frame);
    ok = frame->regs.fsbase == DATA_ADDR + 0x10 && frame->regs.gsbase == DATA_ADDR + 0x20;
    frame->regs.fsbase += 0x100;
    frame->regs.gsbase += 0x100;
    arch_frame_load(frame);
}

static void kern_nmi(struct arch_frame *frame)
{
    (void)frame;
    x86_apic_ipi(x86_boot_cpu.apic_id,
                 0x400); /* an NMI to itself, with a GS base that looks like the kernel's */
    ok = arch_cpu_id() == 0;
}

/* Malformed images of the vector state are rejected. */
static void kern_vector(struct arch_frame *frame)
{
    uint8_t *area = kmem_alloc(arch_xsave_size());
    uint8_t *fresh = kmem_alloc(arch_xsave_size());

    (void)frame;
    arch_xsave_save(area);
    arch_xsave_init(fresh);
    ok = !arch_xsave_restore(fresh);
    area[512 + 8] = 1; /* a compacted image is rejected */
    ok &= arch_xsave_restore(area) != 0;
    area[512 + 8] = 0;
    area[512 + 7] = 0x40; /* a state component that is not enabled */
    ok &= arch_xsave_restore(area) != 0;
    area[512 + 7] = 0;
    area[27] = 0xff; /* reserved bits of MXCSR */
    ok &= arch_xsave_restore(area) != 0;
    area[27] = 0;
    ok &= !arch_xsave_restore(area);
    kmem_free(area, arch_xsave_size());
    kmem_free(fresh, arch_xsave_size());
}

/* User copies, within one page, over a fault, and out of the user half. */
static void kern_copy(struct arch_frame *frame)
{
    char buf[64];
    uint64_t fault = 0;
    uint64_t word = 0x1122334455667788;

    (void)frame;
    ok = arch_user_copy_out(DATA_ADDR, &word, 8, NULL) == 0;
    ok &= arch_user_copy_in(buf, DATA_ADDR, 8, NULL) == 0 && memcmp(buf, &word, 8) == 0;
    ok &= arch_user_copy_in(buf, DATA_ADDR + 2, 3, NULL) == 0 && buf[0] == 0x66;
    ok &= arch_user_copy_out(DATA_ADDR + 0x1000, &word, 8, &fault) == 8;
    ok &= fault == DATA_ADDR + 0x1000;
    ok &= arch_user_copy_in(buf, DATA_ADDR + 0x4000 - 24, 64, &fault) == 40;
    ok &= fault == DATA_ADDR + 0x4000;
    ok &= arch_user_copy_in(buf, DATA_ADDR + 0x4000, 4, &fault) == 4 && fault == DATA_ADDR + 0x4000;
    ok &= arch_user_copy_in(buf, 0xffffffff80200000, 8, &fault) == 8;
    ok &= arch_user_copy_in(buf, ARCH_USER_LIMIT - 4, 8, &fault) == 8;
    ok &= arch_user_copy_in(buf, UINT64_MAX - 4, 8, &fault) == 8;
    ok &= arch_user_copy_in(buf, 0x8000000000000000, 8, &fault) == 8;
    ok &= arch_user_copy_in(buf, DATA_ADDR, 0, &fault) == 0;
}

/* A load of user memory outside of the user copies. SMAP stops it: returns the faulting address, or
 * 0 if nothing faulted. */
static uint64_t load_user(uint64_t addr)
{
    uint64_t faulted = 1;

    __asm__ volatile("1: movq (%1), %%rdx\n\t"
                     "xorl %%eax, %%eax\n"
                     "2:\n\t"
                     ".pushsection .fixup, \"a\"\n\t"
                     ".long 1b - ., 2b - .\n\t"
                     ".popsection"
                     : "=a"(faulted)
                     : "r"(addr)
                     : "rdx", "memory");
    return faulted;
}

static void kern_smap(struct arch_frame *frame)
{
    (void)frame;
    ok = load_user(DATA_ADDR) == DATA_ADDR && load_user((uint64_t)&root) == 0;
    ok &=
        (x86_read_cr4() >> 20 & 3) == 3 && (x86_read_cr4() >> 11 & 1) && (x86_read_cr0() >> 16 & 1);
}

/* A store to addr: returns the faulting address, or 0 if nothing faulted. */
static uint64_t store_faults(uint64_t addr)
{
    uint64_t faulted = 1;

    __asm__ volatile("1: movb $0, (%1)\n\t"
                     "xorl %%eax, %%eax\n"
                     "2:\n\t"
                     ".pushsection .fixup, \"a\"\n\t"
                     ".long 1b - ., 2b - .\n\t"
                     ".popsection"
                     : "=a"(faulted)
                     : "r"(addr)
                     : "memory");
    return faulted;
}

static void kern_readonly(struct arch_frame *frame)
{
    uint64_t code = (uint64_t)kern_smap, constant = (uint64_t)user_last;

    (void)frame;
    ok = store_faults(code) && store_faults(constant);
    ok &= store_faults(code - KERNEL_VIRT + DIRECT_VIRT) != 0;
    ok &= store_faults(constant - KERNEL_VIRT + DIRECT_VIRT) != 0;
    ok &= store_faults(x86_boot_cpu.stack + X86_ENTRY_BYTES - STACK_BYTES - 8) != 0; /* guard */
}

static void kern_root(struct arch_frame *frame)
{
    struct arch_root other = { .payer = NULL };

    (void)frame;
    ok = arch_root_rights(&root, TEXT_SLOT) == (TWZ_READ | TWZ_EXEC);
    ok &= arch_root_rights(&root, DATA_SLOT) == (TWZ_READ | TWZ_WRITE);
    ok &= arch_root_rights(&root, 77) == 0 && arch_root_rights(&root, 5000) == 0;
    ok &= !arch_root_init(&other) && !arch_root_map(&other, DATA_SLOT, &data, TWZ_READ);
    arch_root_load(&other);
    ok &= other.loaded[0] == 1 && root.loaded[0] == 0;
    ok &= arch_user_copy_out(DATA_ADDR, &other, 8, NULL) == 8; /* read-only in this root */
    ok &= arch_user_copy_in(&(uint64_t){ 0 }, DATA_ADDR, 8, NULL) == 0;
    arch_root_load(&root);
    ok &= other.loaded[0] == 0 && root.loaded[0] == 1;
    arch_root_unmap(&other, DATA_SLOT);
    ok &= arch_root_rights(&other, DATA_SLOT) == 0;
    while (arch_root_destroy_some(&other))
        continue;
}

static void kern_regs(struct arch_frame *frame)
{
    struct twz_regs regs = frame->regs;

    regs.rflags = ~0ull;
    ok = !arch_regs_validate(&regs) && !(regs.rflags & 0x3f000 & ~0x200ull) && regs.rflags & 0x200;
    regs.rip = ARCH_USER_LIMIT;
    ok &= arch_regs_validate(&regs) != 0;
    regs.rip = 0;
    regs.gsbase = 0xffffffff80000000;
    ok &= arch_regs_validate(&regs) != 0;
    regs.gsbase = 0;
    regs.fsbase = ARCH_USER_LIMIT;
    ok &= arch_regs_validate(&regs) != 0;
}

/* The timer's handler changes the word that user_wait waits for. */
static void kern_timer_set(struct arch_frame *frame)
{
    (void)frame;
    timers = 0;
    ok = true;
    arch_timer_set(arch_clock_ns() + 2000000);
}

/* Marks the descriptor that IRET loads as not present: IRET faults in the kernel. */
static void kern_no_segment(struct arch_frame *frame)
{
    frame->flags |= ARCH_FRAME_FULL;
    frame->regs.rcx = 0x4712;
    x86_boot_cpu.gdt[SEL_USER_CODE >> 3] &= ~(1ull << 47);
}

/* A call that returns to the end of the user half must not leave by SYSRET: it would lose rcx. */
static void kern_end_of_half(struct arch_frame *frame)
{
    frame->regs.rcx = 0x4713;
}

/* Reports to machine.py that it may raise the machine check. */
static void kern_media(struct arch_frame *frame)
{
    size_t len;

    if (boot_option("media", &len))
        log_printf("ready for a machine check");
    else
        frame->regs.rbx = ~0ull; /* no machine check will come: do not wait */
}

/* ---- checks of the event that ended a routine ---- */

static bool is_trap(const struct event *ev, uint64_t vector, uint64_t error)
{
    return ev->kind == EV_TRAP && ev->value == vector && ev->detail == error;
}

static bool is_fault(const struct event *ev, uint64_t addr, uint64_t access)
{
    return ev->kind == EV_FAULT && ev->value == addr && ev->detail == access;
}

static bool done_0(const struct event *ev)
{
    return ev->kind == EV_DONE && ev->value == 0;
}

static bool done_kern(const struct event *ev)
{
    return ev->kind == EV_DONE && ok;
}

static bool done_null(const struct event *ev)
{
    size_t len;

    log_printf("1000 null calls: %llu ticks", (unsigned long long)ev->value);
    return ev->kind == EV_DONE && (!boot_option("count", &len) || ev->value < 110 * 1000);
}

static bool done_flags(const struct event *ev)
{
    return ev->kind == EV_DONE && ok && (ev->value & 0x244600) == 0x244600;
}

static bool trap_flags(const struct event *ev)
{
    return is_trap(ev, 6, 0) && ok && (ev->frame.regs.rflags & 0x244600) == 0x244600;
}

static bool trap_trace(const struct event *ev)
{
    return is_trap(ev, 1, 0) && (ev->frame.regs.rflags & 0x100);
}

static bool trap_divide(const struct event *ev)
{
    return is_trap(ev, 0, 0);
}

static bool trap_gp(const struct event *ev)
{
    return is_trap(ev, 13, 0);
}

static bool trap_breakpoint(const struct event *ev)
{
    return is_trap(ev, 3, 0);
}

static bool trap_int80(const struct event *ev)
{
    return ev->kind == EV_TRAP && ev->value == 13 && (ev->detail & 7) == 2;
}

static bool trap_ud(const struct event *ev)
{
    return is_trap(ev, 6, 0) && ok;
}

static bool trap_end_of_half(const struct event *ev)
{
    return is_trap(ev, 13, 0) && ev->frame.regs.rip == ARCH_USER_LIMIT &&
           ev->frame.regs.rbx == 0x4711 && ev->frame.regs.rcx == 0x4713;
}

static bool trap_no_segment(const struct event *ev)
{
    x86_boot_cpu.gdt[SEL_USER_CODE >> 3] |= 1ull << 47;
    return is_trap(ev, 11, 0) && ev->frame.regs.rcx == 0x4712 && ev->frame.regs.r15 == DATA_ADDR &&
           ev->frame.regs.rip >= TEXT_ADDR && ev->frame.regs.rsp == DATA_ADDR + 0x3ff0;
}

static bool fault_kernel(const struct event *ev)
{
    return is_fault(ev, 0xffffffff80200000, ARCH_ACCESS_PRESENT);
}

static bool fault_read(const struct event *ev)
{
    return is_fault(ev, DATA_ADDR + 0x100000, 0);
}

static bool fault_write(const struct event *ev)
{
    return is_fault(ev, DATA_ADDR + 0x100008, ARCH_ACCESS_WRITE);
}

static bool fault_readonly(const struct event *ev)
{
    return is_fault(ev, DATA_ADDR + 0x1000, ARCH_ACCESS_WRITE | ARCH_ACCESS_PRESENT);
}

static bool fault_text(const struct event *ev)
{
    return is_fault(ev, TEXT_ADDR + (uint64_t)(user_write_text - user_start),
                    ARCH_ACCESS_WRITE | ARCH_ACCESS_PRESENT);
}

static bool fault_run(const struct event *ev)
{
    return is_fault(ev, DATA_ADDR, ARCH_ACCESS_EXEC | ARCH_ACCESS_PRESENT);
}

static bool done_bases(const struct event *ev)
{
    return ev->kind == EV_DONE && ok && ev->value == (0x110ull << 16 | 0x120);
}

static bool done_vector(const struct event *ev)
{
    return ev->kind == EV_DONE && ok && ev->value == 0x123456789abcdef;
}

static bool done_timer(const struct event *ev)
{
    arch_timer_set(UINT64_MAX);
    return ev->kind == EV_DONE && timers == 1;
}

static bool done_media(const struct event *ev)
{
    size_t len;

    return ev->kind == EV_DONE && media_addr == (boot_option("media", &len) ? MEDIA_ADDR : 0);
}

static const struct step steps[] = {
    { "registers survive a call", user_registers, NULL, done_0 },
    { "registers survive a trap", user_registers_trap, NULL, done_0 },
    { "null calls", user_null_calls, NULL, done_null },
    { "flags are clean in a call", user_flags, kern_flags, done_flags },
    { "flags are clean in a trap", user_flags_trap, NULL, trap_flags },
    { "single step", user_trace, NULL, trap_trace },
    { "single step over a call", user_trace_call, NULL, trap_trace },
    { "divide by zero", user_divide, NULL, trap_divide },
    { "jump to a non-canonical address", user_jump_far, NULL, trap_gp },
    { "breakpoint", user_breakpoint, NULL, trap_breakpoint },
    { "software interrupt faults", user_int80, NULL, trap_int80 },
    { "cli faults", user_cli, NULL, trap_gp },
    { "port access faults", user_port, NULL, trap_gp },
    { "rdmsr faults", user_rdmsr, NULL, trap_gp },
    { "sgdt faults", user_sgdt, NULL, trap_gp },
    { "read of kernel memory faults", user_read_kernel, NULL, fault_kernel },
    { "read of an absent page faults", user_read_absent, NULL, fault_read },
    { "write of an absent page faults", user_write_absent, NULL, fault_write },
    { "write of a read-only page faults", user_write_readonly, NULL, fault_readonly },
    { "write of text faults", user_write_text, NULL, fault_text },
    { "execution of data faults", user_run_data, NULL, fault_run },
    { "segment bases are read and set", user_bases, kern_bases, done_bases },
    { "NMI with a GS base in the kernel's half", user_bad_base, kern_nmi, trap_ud },
    { "vector state is saved, restored and validated", user_vector, kern_vector, done_vector },
    { "user copies stop at a fault", user_kern, kern_copy, done_kern },
    { "SMAP, SMEP, UMIP and WP are on", user_kern, kern_smap, done_kern },
    { "the kernel's own text is read-only", user_kern, kern_readonly, done_kern },
    { "two roots, one subtree", user_kern, kern_root, done_kern },
    { "registers from outside are validated", user_kern, kern_regs, done_kern },
    { "timer interrupts user code", user_wait, kern_timer_set, done_timer },
    { "machine check with an address", user_wait, kern_media, done_media },
    { "fault at IRET becomes the user's", user_kern, kern_no_segment, trap_no_segment },
    { "return past the user half faults in user mode", NULL, kern_end_of_half, trap_end_of_half },
};

/* ---- steps, one after the other ---- */

static NORETURN void end_tests(void)
{
    log_printf("%u passed, %u failed", passed, failed);
    arch_power_off();
}

static void start_routine(struct arch_frame *frame, const char *routine)
{
    *frame = (struct arch_frame){ .flags = ARCH_FRAME_FULL };
    frame->regs.rip = TEXT_ADDR + (uint64_t)(routine - user_start);
    frame->regs.rflags = 0x202;
    frame->regs.rsp = DATA_ADDR + 0x3ff0;
    frame->regs.r15 = DATA_ADDR;
    if (!routine) {
        frame->regs.rip = ARCH_USER_LIMIT - 2;
        frame->regs.rax = CALL_KERN;
        frame->regs.rbx = 0x4711;
    }
}

static void start_step(struct arch_frame *frame)
{
    if (at_step == ARRAY_LEN(steps))
        end_tests();
    ok = false;
    start_routine(frame, steps[at_step].routine);
}

static void end_step(struct arch_frame *frame, enum event_kind kind, uint64_t value,
                     uint64_t detail)
{
    struct event ev = { kind, value, detail, *frame };
    bool good = steps[at_step].check(&ev);

    if (!good)
        log_printf("  event %d value 0x%llx detail 0x%llx rip 0x%llx rflags 0x%llx ok %d",
                   (int)kind, (unsigned long long)value, (unsigned long long)detail,
                   (unsigned long long)frame->regs.rip, (unsigned long long)frame->regs.rflags, ok);
    add_result(steps[at_step].name, good);
    at_step++;
    start_step(frame);
}

void kernel_syscall(struct arch_frame *frame)
{
    uint64_t number = frame->regs.rax;

    frame->regs.rax = 0;
    if (arch_cpu_id() != 0) {
        reader_bad = frame->regs.rdi;
        arch_root_unload();
        __atomic_store_n(&reader_done, 1, __ATOMIC_RELEASE);
        for (;;)
            arch_idle();
    }
    if (number == CALL_DONE)
        end_step(frame, EV_DONE, frame->regs.rdi, 0);
    else if (number == CALL_KERN)
        steps[at_step].kern(frame);
}

void kernel_page_fault(struct arch_frame *frame, uint64_t addr, unsigned access)
{
    end_step(frame, EV_FAULT, addr, access);
}

void kernel_exception(struct arch_frame *frame, unsigned vector, uint64_t error)
{
    if (steps[at_step].routine == user_registers_trap && vector == 3)
        return;
    if (steps[at_step].routine == user_flags_trap)
        ok = !(flags_now() & KERNEL_UNCLEAN);
    end_step(frame, EV_TRAP, vector, error);
}

/* Changes all registers that a function may change. */
void kernel_exit(void)
{
    __asm__ volatile("movq $-1, %%rax\n\t"
                     "movq %%rax, %%rcx\n\t"
                     "movq %%rax, %%rdx\n\t"
                     "movq %%rax, %%rsi\n\t"
                     "movq %%rax, %%rdi\n\t"
                     "movq %%rax, %%r8\n\t"
                     "movq %%rax, %%r9\n\t"
                     "movq %%rax, %%r10\n\t"
                     "movq %%rax, %%r11"
                     :
                     :
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11");
}

void kernel_timer(void)
{
    timers++;
    if (data_frame[0].addr)
        (*(uint64_t *)arch_virt(data_frame[0]))++;
}

void kernel_reschedule(void)
{
    reschedules++;
}

/* Changes the word that user_wait waits for. */
void kernel_media_error(phys_t addr)
{
    media_addr = addr.addr;
    (*(uint64_t *)arch_virt(data_frame[0]))++;
}

/* ---- tests without user code ---- */

static void test_nvm_has_two_maps(void)
{
    volatile uint64_t *rw;
    const volatile uint64_t *ro;
    bool good = boot_info.nnvdimm == 1;

    if (good) {
        phys_t start = boot_info.nvdimm[0].start;

        good &= !arch_map_nvm(start, boot_info.nvdimm[0].len);
        rw = arch_nvm_store(start);
        ro = arch_virt_nvm(start);
        rw[512] = 0x4e564d;
        good &= ro[512] == 0x4e564d && arch_phys((const void *)rw).addr == start.addr;
        good &= arch_phys((const void *)ro).addr == start.addr;
        good &= store_faults((uint64_t)ro) != 0 && store_faults((uint64_t)rw) == 0;
    }
    add_result("NVM has a read-only and a read-write map", good);
}

static void raise_irq(void *arg)
{
    irqs += (uint64_t)arg;
}

/* A device interrupt, a reschedule IPI and the timer arrive while the core opens a window. */
static void test_interrupts_arrive_in_windows_only(void)
{
    uint64_t address, before = arch_clock_ns();
    uint32_t vector;
    bool good = !arch_msi_alloc(raise_irq, (void *)3, &address, &vector);

    x86_apic_ipi(x86_boot_cpu.apic_id, vector);
    while (!irqs)
        arch_idle();
    good &= irqs == 3 && (address >> 20) == 0xfee;
    arch_ipi_reschedule(0);
    while (!reschedules)
        arch_idle();
    good &= reschedules == 1;
    arch_ipi_reschedule(0);
    good &= reschedules == 1; /* no interrupt outside of a window */
    while (reschedules == 1)
        arch_preemption_point();
    arch_preemption_point();
    good &= reschedules == 2;
    arch_timer_set(before + 3000000);
    while (!timers)
        arch_idle();
    good &= timers == 1 && arch_clock_ns() >= before + 2990000;
    add_result("interrupts arrive in windows only", good);
}

static void test_wall_clock_is_right(void)
{
    struct arch_clock clock;
    const char *text;
    uint64_t want = 0, got;
    size_t len;

    arch_clock_params(&clock);
    text = boot_option("epoch", &len);
    for (size_t i = 0; text && i < len; i++)
        want = want * 10 + (uint64_t)(text[i] - '0');
    got = (arch_clock_ns() + (uint64_t)clock.wall_offset) / 1000000000u;
    log_printf("wall clock %llu, expected %llu", (unsigned long long)got, (unsigned long long)want);
    add_result("wall clock is right", !text || (got >= want && got <= want + 60));
}

static void make_addrspace(void)
{
    phys_t code = phys_alloc_zeroed(), end = phys_alloc_zeroed();

    memcpy(arch_virt(code), user_start, (size_t)(user_end - user_start));
    memcpy((char *)arch_virt(end) + 4094, user_last, 2);
    kassert(!arch_ptree_map(&text, 1, code, 0));
    kassert(!arch_ptree_map(&last, TWZ_OBJ_PAGES - 1, end, 0));
    for (uint32_t i = 0; i < ARRAY_LEN(data_frame); i++) {
        data_frame[i] = phys_alloc_zeroed();
        kassert(!arch_ptree_map(&data, i + 1, data_frame[i], i == 1 ? 0 : ARCH_PT_WRITE));
    }
    kassert(!arch_root_init(&root));
    kassert(!arch_root_map(&root, TEXT_SLOT, &text, TWZ_READ | TWZ_EXEC));
    kassert(!arch_root_map(&root, DATA_SLOT, &data, TWZ_READ | TWZ_WRITE));
    kassert(!arch_root_map(&root, LAST_SLOT, &last, TWZ_READ | TWZ_EXEC));
}

/* ---- other cores ---- */

void kernel_cpu_main(void)
{
    static struct arch_frame frame;

    arch_cpu_bind(NULL);
    __atomic_fetch_add(&idle_cores, 1, __ATOMIC_RELEASE);
    if (arch_cpu_id() == 1) {
        arch_root_load(&root);
        start_routine(&frame, user_reader);
        arch_frame_use(&frame);
        arch_enter_user();
    }
    for (;;)
        arch_idle();
}

/* Repeatedly moves a page that core 1 reads to another frame, and clears the word in the old frame.
 * A translation that outlives the shootdown reads the cleared word. */
static void test_shootdown_reaches_other_cores(unsigned cores)
{
    volatile uint64_t *control = arch_virt(data_frame[0]);
    phys_t spare = phys_alloc_zeroed();
    uint64_t seen;

    *(uint32_t *)arch_virt(data_frame[2]) = GOOD_WORD;
    control[0] = 0;
    arch_smp_start();
    while (__atomic_load_n(&idle_cores, __ATOMIC_ACQUIRE) + 1 < cores)
        arch_pause();
    for (unsigned i = 0; i < 200; i++) {
        phys_t old = data_frame[2];

        for (seen = control[1]; control[1] == seen;)
            arch_pause();
        *(uint32_t *)arch_virt(spare) = GOOD_WORD;
        kassert(!arch_ptree_map(&data, 3, spare, ARCH_PT_WRITE));
        arch_shootdown(&root, DATA_SLOT, 3, 1);
        *(volatile uint32_t *)arch_virt(old) = 0;
        data_frame[2] = spare;
        spare = old;
    }
    control[0] = 1;
    while (!__atomic_load_n(&reader_done, __ATOMIC_ACQUIRE))
        arch_pause();
    for (unsigned i = 1; i < cores; i++)
        arch_ipi_reschedule(i);
    add_result("shootdown reaches other cores", arch_cpu_count() == cores && reader_bad == 0);
}

/* ---- crashes, chosen on the command line ---- */

static unsigned sink;
static volatile int most = 0x7fffffff;

/* Not a tail call: each level keeps its stack frame. */
static unsigned __attribute__((noinline)) overflow_stack(unsigned depth)
{
    volatile char frame[256];

    frame[depth % 256] = 1;
    return depth == ~0u ? 0 : overflow_stack(depth + 1) + (unsigned)frame[0];
}

static void crash_if_requested(void)
{
    size_t len;

    if (boot_option("crash.stack", &len))
        sink = overflow_stack(0);
    if (boot_option("crash.null", &len))
        __asm__ volatile("movl $1, (%0)" : : "r"((uint64_t)sink) : "memory");
    if (boot_option("crash.assert", &len))
        kassert(sink == 1);
    if (boot_option("crash.undefined", &len))
        most += (int)sink + 1;
    if (boot_option("crash.stop", &len))
        arch_stop(TWZ_HOST_STOP_DAMAGED);
}

void kernel_main(void)
{
    static struct arch_frame frame;
    const char *text;
    size_t len;

    phys_init();
    random_init();
    crash_if_requested();
    test_parts();
    test_nvm_has_two_maps();
    test_interrupts_arrive_in_windows_only();
    test_wall_clock_is_right();
    make_addrspace();
    text = boot_option("cores", &len);
    if (text && len == 1)
        test_shootdown_reaches_other_cores((unsigned)(*text - '0'));
    arch_root_load(&root);
    start_step(&frame);
    arch_frame_use(&frame);
    arch_enter_user();
}

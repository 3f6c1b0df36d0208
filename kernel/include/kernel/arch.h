/* SPDX-License-Identifier: MIT */
/*
 * Everything the kernel asks of the machine, documented once. arch/x86_64 implements it; nobody
 * includes that folder's own headers.
 *
 * Execution model. One kernel stack a core. The kernel runs with interrupts off from entry to exit
 * (arch_idle and arch_preemption_point alone let them in; what they run changes no thread), so a core is
 * never preempted inside the kernel and at most one entry is on a core's stack. On entry arch saves
 * the user registers in a struct arch_frame at the top of the core's stack, calls one of the
 * kernel_* functions below, then kernel_exit(frame), which chooses the thread to go on with and
 * leaves its registers in *frame. Then arch returns to user mode with *frame. Spin loops call
 * arch_pause(), which also serves pending shootdowns, so that two cores that wait for each other
 * make progress.
 */
#ifndef KERNEL_ARCH_H
#define KERNEL_ARCH_H

#include <kernel/types.h>
#include <twz/arch/regs.h>

/* ---- entry frame ---- */

/*
 * The user registers of the entry in progress. regs.fsbase and regs.gsbase are not saved on entry:
 * arch_frame_sync reads them from the processor into the frame, arch_frame_load writes them to it;
 * the scheduler calls these when it switches threads. flags ARCH_FRAME_FULL: leave by IRET because
 * rcx/r11 matter (faults, interrupts, fault_return, new threads); otherwise SYSRET is allowed.
 */
struct arch_frame {
    struct twz_regs regs;
    uint64_t flags;
};
#define ARCH_FRAME_FULL 1u

void arch_frame_sync(struct arch_frame *frame);
void arch_frame_load(struct arch_frame *frame);

/* Makes regs that came from user space or from a KSO safe to load: canonical rip, fsbase and
 * gsbase below the user limit, only user-changeable rflags. Returns 0 or -TWZ_EINVAL. */
MUST_CHECK int arch_regs_validate(struct twz_regs *regs);

/* FPU and vector state of the running thread, XSAVE format; area 64-byte aligned and
 * arch_xsave_size() bytes; a fresh area is made by arch_xsave_init. restore validates the header
 * of an image that user space could have written (reserved bits, mask): 0 or -TWZ_EINVAL. */
size_t arch_xsave_size(void);
void arch_xsave_init(void *area);
void arch_xsave_save(void *area);
MUST_CHECK int arch_xsave_restore(void *area);

/* ---- what arch calls (defined in core/ and sys/) ---- */

void kernel_syscall(struct arch_frame *frame); /* sys/dispatch.c: SYSCALL from user mode */

#define ARCH_ACCESS_WRITE   1u
#define ARCH_ACCESS_EXEC    2u
#define ARCH_ACCESS_PRESENT 4u /* a translation was there: rights, not absence */
void kernel_page_fault(struct arch_frame *frame, uint64_t addr, unsigned access); /* core/fault.c */
void kernel_exception(struct arch_frame *frame, unsigned vector, uint64_t error); /* core/fault.c */
void kernel_timer(void);                    /* core/timer.c: this core's timer went off */
void kernel_reschedule(void);               /* core/sched.c: another core asks this one */
void kernel_exit(struct arch_frame *frame); /* core/sched.c: last thing before user mode */
NORETURN void kernel_cpu_main(void);  /* core/sched.c: a core is ready; enters the scheduler */
void kernel_media_error(phys_t addr); /* core/fault.c: machine check with an address */

/* ---- cores ---- */

struct cpu; /* core/: per-core state of the generic kernel, see kernel/cpu.h */

unsigned arch_cpu_count(void);                 /* cores running, after arch_smp_start */
static inline unsigned arch_cpu_id(void);      /* 0 .. count-1, this core: one load */
static inline struct cpu *arch_cpu_this(void); /* pointer stored by arch_cpu_bind: one load */
void arch_cpu_bind(struct cpu *cpu);
void arch_smp_start(void); /* starts all other cores; each calls kernel_cpu_main */
void arch_pause(void);     /* in every spin loop */
void arch_idle(void);      /* interrupts on, halt, interrupts off; returns after one */
/* Takes what interrupts are waiting; for long work between two bounded pieces, no lock held. */
void arch_preemption_point(void);
/* First entry of a core into user mode: resets the stack, loads *frame (copied first) and goes. */
NORETURN void arch_enter_user(struct arch_frame *frame);
NORETURN void arch_halt_all(void); /* panic: stop every core */
void arch_backtrace(void);         /* logs who called, as far as the stack tells */
NORETURN void arch_power_off(void);
NORETURN void arch_reboot(void);
NORETURN void arch_stop(uint32_t code); /* ends the machine with an exit code for the host
                                                     (TWZ_HOST_STOP_PORT), else powers off */

/* Interrupts the core so that it calls kernel_reschedule. Cheap, may be lost in an earlier one. */
void arch_ipi_reschedule(unsigned cpu);

/* ---- time ---- */

struct arch_clock {
    uint64_t mult; /* ns = offset + (tsc * mult >> shift), 128-bit product */
    uint64_t shift;
    int64_t offset;
    int64_t wall_offset; /* wall clock = ns + wall_offset, from the RTC at boot */
};
void arch_clock_params(struct arch_clock *out);
uint64_t arch_clock_ns(void);              /* monotonic, from boot */
void arch_timer_set(uint64_t deadline_ns); /* this core; one shot; UINT64_MAX: off */
bool arch_random64(uint64_t *out);         /* hardware random; false: none now */
uint64_t arch_boot_ticks(void);            /* TSC ticks since the kernel's first instruction;
                                                     instructions, where the machine counts those */

/* How this processor writes a cache line back: 0 clflush, 1 clflushopt, 2 clwb (store/x86). */
unsigned arch_flush_kind(void);

/* ---- memory ---- */

#define ARCH_USER_LIMIT (1ull << 47)

void *arch_virt(phys_t p);           /* DRAM through the kernel's map: read-write */
const void *arch_virt_nvm(phys_t p); /* NVM through the kernel's map: read-only, all of it */
phys_t arch_phys(const void *kernel_virt);

/*
 * NVM is mapped twice in the kernel: read-only at arch_virt_nvm for everything, and read-write at
 * arch_nvm_store for the store's own use (metadata, and user pages through persist.h).
 * arch_map_nvm makes both maps for a range from the NFIT; sizes and addresses 2 MiB aligned or
 * rounded out.
 */
MUST_CHECK int arch_map_nvm(phys_t start, uint64_t len);
void *arch_nvm_store(phys_t p);

/* Maps device registers uncached; never unmapped. NULL: no room. */
void *arch_map_mmio(phys_t start, uint64_t len);

/*
 * Page tables. A ptree is one object's subtree: the table of 512 2-MiB entries that a 1 GiB slot
 * entry points to, and the tables under it. Rights (user, write, execute) live in slot entries
 * only; a leaf's writable bit is the object's own state. Any number of roots hang the same ptree.
 * Callers serialise changes to one ptree (the object's lock) and to one root (the root's lock).
 */
struct arch_ptree {
    phys_t top;      /* PHYS_NONE until first use */
    uint32_t tables; /* tables below top, for accounting */
};
MUST_CHECK int arch_ptree_init(struct arch_ptree *pt); /* -TWZ_ENOMEM */
void arch_ptree_destroy(struct arch_ptree *pt);        /* hung nowhere */
/* Maps page index (of 4 KiB) to frame; a later map of the same page replaces it (the caller shoots
 * down when that takes something away). flags: ARCH_PT_*. -TWZ_ENOMEM. */
#define ARCH_PT_WRITE    1u
#define ARCH_PT_UNCACHED 2u
#define ARCH_PT_COW      4u  /* software bit: the frame may be shared; copy before a write */
#define ARCH_PT_PROTECT  8u  /* software bit: read-only on purpose */
#define ARCH_PT_HOLE     16u /* frame PHYS_NONE: not present, a mark of its own, no translation */
#define ARCH_PT_DIRTY    32u /* told by lookup and next only: the processor wrote through it */
MUST_CHECK int arch_ptree_map(struct arch_ptree *pt, uint32_t page, phys_t frame, unsigned flags);
void arch_ptree_unmap(struct arch_ptree *pt, uint32_t page, uint32_t count);
/* What is mapped at page: frame or PHYS_NONE; *flags gets ARCH_PT_*; may be NULL. */
phys_t arch_ptree_lookup(const struct arch_ptree *pt, uint32_t page, unsigned *flags);
/* The first page at or after *page, below end, that is mapped or a hole: true, with *page, *frame
 * (PHYS_NONE: hole) and *flags set. Skips absent tables, so a walk costs what the object has. */
bool arch_ptree_next(const struct arch_ptree *pt, uint32_t *page, uint32_t end, phys_t *frame,
                     unsigned *flags);

struct arch_root {
    phys_t top;                            /* PML4 frame */
    uint64_t loaded[(MAX_CPUS + 63) / 64]; /* cores that have it loaded, atomic */
};
MUST_CHECK int arch_root_init(struct arch_root *root); /* kernel half shared with every root */
void arch_root_destroy(struct arch_root *root);        /* loaded nowhere */
/* Points slot at pt with rights (TWZ_READ | TWZ_WRITE | TWZ_EXEC; W and X together is a kernel bug:
 * panics). -TWZ_ENOMEM. Replacing or taking away rights needs a shootdown by the caller. */
MUST_CHECK int arch_root_map(struct arch_root *root, uint32_t slot, const struct arch_ptree *pt,
                             unsigned rights);
void arch_root_unmap(struct arch_root *root, uint32_t slot);
unsigned arch_root_rights(const struct arch_root *root, uint32_t slot); /* 0: not hung */
void arch_root_load(struct arch_root *root); /* no-op if it is loaded here already */
void arch_root_unload(void);                 /* go to the kernel's own root */

/* Drops translations of pages [page, page + count) of slot in every core that has root loaded, and
 * waits until they are gone. count 0: the whole slot. Never call with a lock that an interrupted
 * core could spin on without arch_pause. */
void arch_shootdown(struct arch_root *root, uint32_t slot, uint32_t page, uint32_t count);

/* ---- user memory ---- */

/*
 * Copies between kernel memory and the current root's user half, SMAP open only inside. Stops at
 * the first byte that faults: returns the number of bytes not copied (0: all), with the address of
 * the fault in *fault_addr when not NULL. It handles no faults itself: kernel/user.h does. A copy
 * of 4 or 8 bytes from or to an address aligned to that is one access.
 */
MUST_CHECK size_t arch_user_copy_in(void *dst, uint64_t user_src, size_t len, uint64_t *fault_addr);
MUST_CHECK size_t arch_user_copy_out(uint64_t user_dst, const void *src, size_t len,
                                     uint64_t *fault_addr);

/* ---- console log ---- */

void arch_log_write(const char *text, size_t len); /* serial port, polled */

/* ---- devices ---- */

/* A device interrupt's handler; arg as given. Runs in interrupt context on some core. */
typedef void (*arch_irq_fn)(void *arg);
/* Allocates a vector and the message (address, data) that raises it on the boot core. */
MUST_CHECK int arch_msi_alloc(arch_irq_fn fn, void *arg, uint64_t *address, uint32_t *data);

/* Configuration space, registers 0 .. 255, off a multiple of 4; takes a lock of its own, last. */
uint32_t arch_pci_read32(unsigned bus, unsigned dev, unsigned fn, unsigned off);
void arch_pci_write32(unsigned bus, unsigned dev, unsigned fn, unsigned off, uint32_t value);

/* ---- x86-64: what is read through GS, inline because every call needs it ---- */

static inline unsigned arch_cpu_id(void)
{
    uint64_t id;

    __asm__("movq %%gs:8, %0" : "=r"(id));
    return (unsigned)id;
}

static inline struct cpu *arch_cpu_this(void)
{
    struct cpu *cpu;

    __asm__ volatile("movq %%gs:0, %0" : "=r"(cpu)); /* arch_cpu_bind changes it */
    return cpu;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Everything the kernel asks of the machine. arch/x86_64 implements it; no other folder includes
 * the headers of that folder.
 *
 * Execution model
 *   - Each core has one kernel stack. The kernel runs with interrupts off from entry to exit, so at
 *     most one entry is on a core's stack, and no core is preempted inside the kernel.
 *   - Only arch_idle and arch_preemption_point open an interrupt window. The caller must hold no
 *     lock there. An interrupt handler must not change the core's thread.
 *   - On entry arch saves the user registers in the frame that arch_frame_use named last, calls one
 *     of the kernel_* functions below, then kernel_exit. That chooses the thread that continues and
 *     names its frame. Then arch returns to user mode with the registers in that frame.
 *   - A loop that waits for another core must call arch_pause, which serves shootdowns. Two cores
 *     that wait for each other therefore both make progress.
 *
 * Where a function says nothing else, it takes no lock, does not wait, may be called with any lock
 * held, and acts on the core that calls it.
 */
#ifndef KERNEL_ARCH_H
#define KERNEL_ARCH_H

#include <kernel/types.h>
#include <twz/arch/regs.h>

struct account;

/* ---- registers ---- */

/*
 * The user registers of a thread that is in the kernel. An entry does not save regs.fsbase and
 * regs.gsbase. flags: with ARCH_FRAME_FULL the core leaves by IRET, which loads rcx and r11 as
 * well; this must be set for faults, interrupts, fault_return and new threads. Without it SYSRET is
 * allowed.
 */
struct arch_frame {
    struct twz_regs regs;
    uint64_t flags;
};
#define ARCH_FRAME_FULL 1u

/* Entries of this core save the registers in *frame, and exits load them from it, from now on.
 * NULL: the core must not leave the kernel before another call of this. */
void arch_frame_use(struct arch_frame *frame);

/* Copies fsbase and gsbase from the processor to the frame (sync), or from the frame to the
 * processor (load). A thread switch must do both, one for each thread. */
void arch_frame_sync(struct arch_frame *frame);
void arch_frame_load(const struct arch_frame *frame);

/* Registers from user space or from a thread object must pass this before they are loaded. Checks
 * that rip, fsbase and gsbase lie below the user limit, and clears the flags that user code must
 * not change. 0 or -TWZ_EINVAL. */
MUST_CHECK int arch_regs_validate(struct twz_regs *regs);

/*
 * Vector state of the running thread, in XSAVE format. An area must be 64-byte aligned and have
 * arch_xsave_size() bytes. arch_xsave_init makes the state of a new thread. arch_xsave_restore
 * accepts an image that user code wrote, or writes meanwhile. -TWZ_EINVAL: the image is malformed.
 * arch_xsave_load takes an image that arch_xsave_init or arch_xsave_save made. arch_xsave_mask
 * tells the components that an image may hold.
 */
size_t arch_xsave_size(void);
uint64_t arch_xsave_mask(void);
void arch_xsave_init(void *area);
void arch_xsave_save(void *area);
void arch_xsave_reset(void); /* the state of a new thread, on this core */
void arch_xsave_load(const void *area);
MUST_CHECK int arch_xsave_restore(void *area);

/* ---- what arch calls ---- */

/* All of these are called with no lock held. The first three run on behalf of the thread in user
 * mode that the frame belongs to. */
void kernel_syscall(struct arch_frame *frame); /* sys/dispatch.c */

#define ARCH_ACCESS_WRITE   1u
#define ARCH_ACCESS_EXEC    2u
#define ARCH_ACCESS_PRESENT 4u /* a translation exists, but its rights do not suffice */
#define ARCH_ACCESS_KERNEL  8u /* made with the kernel's rights: of a table, for a far return */
void kernel_page_fault(struct arch_frame *frame, uint64_t addr, unsigned access); /* core/fault.c */
void kernel_exception(struct arch_frame *frame, unsigned vector, uint64_t error); /* core/fault.c */

/* Interrupts, from user mode or an interrupt window. */
void kernel_timer(void);              /* core/timer.c: the timer of this core expired */
void kernel_reschedule(void);         /* core/sched.c: another core sent arch_ipi_reschedule */
void kernel_media_error(phys_t addr); /* core/fault.c: uncorrectable memory error at addr */

/* core/switch.c: chooses the thread that the core returns to. The last call of every entry. */
void kernel_exit(void);
/* core/switch.c: this core is set up and enters the scheduler. */
NORETURN void kernel_cpu_main(void);

/* ---- cores ---- */

struct cpu; /* state of a core in the generic kernel, see kernel/cpu.h */

unsigned arch_cpu_count(void);                 /* cores that are bound */
static inline unsigned arch_cpu_id(void);      /* 0 .. count - 1; one load */
static inline struct cpu *arch_cpu_this(void); /* as bound, NULL before; one load */
/* Gives this core its state. From then on it is counted, so it must be ready for threads. */
void arch_cpu_bind(struct cpu *cpu);

/* Starts the other cores; each calls kernel_cpu_main. Waits for each one in turn. Must be called
 * once, by the first core. A core that does not answer, and all after it, are left out; the log has
 * a line about it. */
void arch_smp_start(void);

/* Must be called in each iteration of a loop that waits for another core. Serves shootdowns. */
void arch_pause(void);
/* Waits with arch_pause until *word is `value`; an acquire. It changes no register of its caller,
 * so that a function that takes a lock keeps its values in registers. */
void arch_wait_word(const _Atomic uint32_t *word, uint32_t value)
    __attribute__((no_caller_saved_registers));
/* Opens an interrupt window and halts until an interrupt was served. The caller must hold no
 * lock. */
void arch_idle(void);
/* Opens an interrupt window for the interrupts that are pending. Long work must call it between two
 * batches. The caller must hold no lock. */
void arch_preemption_point(void);
/* Enters user mode for the first time on this core, on an empty stack. */
NORETURN void arch_enter_user(void);

/* Interrupts a core so that it calls kernel_reschedule. Several requests may become one call. */
void arch_ipi_reschedule(unsigned cpu);

/* ---- the end of the machine ---- */

/* Each of these stops all cores, whatever they do and whatever locks they hold. */
NORETURN void arch_power_off(void);
NORETURN void arch_reboot(void);
NORETURN void arch_halt_all(void);      /* after a panic; reports TWZ_HOST_STOP_PANIC to the host */
NORETURN void arch_stop(uint32_t code); /* reports code at TWZ_HOST_STOP_PORT; else powers off */

/* Logs the return addresses on this core's stack, without frame pointers: some may be stale. */
void arch_backtrace(void);

/* ---- time and random numbers ---- */

struct arch_clock {
    uint64_t mult; /* ns = offset + (tsc * mult >> shift), 128-bit product */
    uint64_t shift;
    int64_t offset;
    int64_t wall_offset; /* wall clock = ns + wall_offset, from the RTC at boot */
};
void arch_clock_params(struct arch_clock *out);
uint64_t arch_clock_ns(void); /* monotonic, over boots */

/* Moves the clock forward, so that it now tells `ns`. Must be called before any timer is set. */
void arch_clock_continue(uint64_t ns);

/* Arms the one-shot timer of this core; UINT64_MAX disarms it. A deadline in the past expires at
 * once. One that is too far for the hardware expires early, so kernel_timer must read the clock. */
void arch_timer_set(uint64_t deadline_ns);

/* TSC ticks since the kernel's first instruction. On a machine that counts instructions as ticks
 * they are instructions. */
uint64_t arch_boot_ticks(void);

bool arch_random64(uint64_t *out); /* from hardware; false: none available now */

/* ---- memory ---- */

#define ARCH_USER_LIMIT (1ull << 47)

/* The kernel's own map; addresses in it stay valid. */
void *arch_virt(phys_t p);           /* DRAM, read-write */
const void *arch_virt_nvm(phys_t p); /* NVM, all of it, read-only */
phys_t arch_phys(const void *kernel_virt);

/*
 * Copies bytes of a frame, at its address in one of the kernel's maps. Returns 1, with part of them
 * copied, if the memory reports an uncorrectable error meanwhile; else 0. The error itself arrives
 * by kernel_media_error later.
 */
MUST_CHECK int arch_copy_frame_bytes(void *dst, const void *src, size_t len);

/* Returns true if such an error has ended a read of this core since the last call: of the function
 * above, or of persist_copy_nt, which copies zeros for what it cannot read. */
bool arch_lost_read(void);

/*
 * NVM has a second map, read-write at arch_nvm_store. Only the store may write through it: its
 * metadata, and user pages by way of persist.h. arch_map_nvm makes both maps for a range, rounded
 * out to 2 MiB. Takes the lock of the kernel's map. -TWZ_ERANGE: beyond both maps; -TWZ_ENOMEM: no
 * frame for a table, or a part of the range is mapped already.
 */
MUST_CHECK int arch_map_nvm(phys_t start, uint64_t len);
void *arch_nvm_store(phys_t p);

/* Maps device registers uncached, for good. Takes the lock of the kernel's map. NULL: no address
 * space or no frame for a table. */
void *arch_map_mmio(phys_t start, uint64_t len);

/* The instruction that writes a cache line back: 0 clflush, 1 clflushopt, 2 clwb (store/x86). */
unsigned arch_flush_kind(void);

/* Returns true if a streaming store may move 32 bytes (store/x86). */
bool arch_has_wide_stores(void);

/* Zeroes a frame of DRAM at its address in the kernel's map. */
void arch_zero_frame(void *frame);

/*
 * Page tables. A ptree is the page-table subtree of one object: a table of 512 entries for 2 MiB
 * each, which a slot entry points to, and the tables below it. Any number of roots map one ptree.
 * Rights (user, write, execute) stand in slot entries only; a leaf's writable bit is the object's
 * own state.
 *
 * A caller that changes a ptree must hold the object's lock, and one that changes a root must hold
 * the root's lock. The processor walks both at any time, so each entry changes by one store. A
 * caller that removes a translation, or rights, must complete a shootdown before it releases the
 * lock. The frames of tables are charged to the payer.
 */
struct arch_ptree {
    phys_t top; /* PHYS_NONE until first use */
    struct account *payer;
    uint32_t tables; /* tables below top, for accounting */
};
MUST_CHECK int arch_ptree_init(struct arch_ptree *pt); /* -TWZ_ENOMEM, -TWZ_EQUOTA */
/* Frees the tables, at most as many as the budget of instructions allows. True: some are left. No
 * root may map it, and it must not be used afterwards. */
MUST_CHECK bool arch_ptree_destroy_some(struct arch_ptree *pt, uint32_t budget);

#define ARCH_PT_WRITE    1u
#define ARCH_PT_UNCACHED 2u
#define ARCH_PT_COW      4u  /* software bit: the frame may be shared; a write must copy it first */
#define ARCH_PT_PROTECT  8u  /* software bit: obj_range made the page read-only */
#define ARCH_PT_HOLE     16u /* frame PHYS_NONE: the page is a hole, without a translation */
#define ARCH_PT_LOST     64u /* frame PHYS_NONE: its bytes are lost, without a translation */
#define ARCH_PT_DIRTY    32u /* from lookup and next only: the processor wrote through the leaf */

/* Maps a page (an index in units of 4 KiB) to frame, and replaces what was mapped there. Allocates
 * tables on first use. -TWZ_ENOMEM, -TWZ_EQUOTA; -TWZ_ERANGE: beyond the object. No page changes on
 * an error. */
MUST_CHECK int arch_ptree_map(struct arch_ptree *pt, uint32_t page, phys_t frame, unsigned flags);
/* Makes pages absent. Keeps the tables. */
void arch_ptree_unmap(struct arch_ptree *pt, uint32_t page, uint32_t count);
/* The frame at page, or PHYS_NONE. flags may be NULL. */
phys_t arch_ptree_lookup(const struct arch_ptree *pt, uint32_t page, unsigned *flags);
/* Finds the first page in [*page, end) that is mapped, a hole or lost, and sets *page, *frame
 * (PHYS_NONE unless it is mapped) and *flags. False: there is none, and *page is `end`. Skips
 * absent tables. */
bool arch_ptree_next(const struct arch_ptree *pt, uint32_t *page, uint32_t end, phys_t *frame,
                     unsigned *flags);

/* The same, within bounds: takes the instructions that it needs off *budget, and stops when that is
 * 0. False: there is no page before *page, which is less than `end` if the budget is 0. */
bool arch_ptree_scan(const struct arch_ptree *pt, uint32_t *page, uint32_t end, phys_t *frame,
                     unsigned *flags, uint32_t *budget);

struct arch_root {
    phys_t top; /* PML4 frame */
    struct account *payer;
    uint64_t loaded[(MAX_CPUS + 63) / 64]; /* cores that have it loaded, atomic */
};
/* Sets up a root whose payer is set. -TWZ_ENOMEM, -TWZ_EQUOTA. */
MUST_CHECK int arch_root_init(struct arch_root *root);
/* Frees one batch of the root's tables. Returns true if the caller must call again. No core may
 * have the root loaded. */
MUST_CHECK bool arch_root_destroy_some(struct arch_root *root);
/* Maps pt in slot. rights: TWZ_READ | TWZ_WRITE | TWZ_EXEC, never both of the last two. pt must
 * have its top. -TWZ_ENOMEM, -TWZ_EQUOTA. */
MUST_CHECK int arch_root_map(struct arch_root *root, uint32_t slot, const struct arch_ptree *pt,
                             unsigned rights);
void arch_root_unmap(struct arch_root *root, uint32_t slot);
unsigned arch_root_rights(const struct arch_root *root, uint32_t slot); /* 0: nothing is mapped */
/* Makes the core use root, or the kernel's own root (unload). The caller must hold a reference that
 * keeps root until the core has unloaded it. */
void arch_root_load(struct arch_root *root);
void arch_root_unload(void);

/* Drops translations of pages [page, page + count) of slot on every core that has root loaded;
 * count 0: of the whole slot. Waits until they are gone. The caller may hold locks that are waited
 * for with arch_pause, and must hold no other. */
void arch_shootdown(struct arch_root *root, uint32_t slot, uint32_t page, uint32_t count);
/* The same for all slots of every root. */
void arch_shootdown_all(void);

/* ---- user memory ---- */

/*
 * Copy between kernel memory and the user half of the loaded root. They resolve no fault: they stop
 * at the first byte that faults and return the number of bytes not copied (0: all), with the
 * faulting address in *fault_addr unless that is NULL. The generic kernel must use kernel/user.h
 * instead. A copy of 4 or 8 bytes at an aligned user address is one access.
 */
MUST_CHECK size_t arch_user_copy_in(void *dst, uint64_t user_src, size_t len, uint64_t *fault_addr);
MUST_CHECK size_t arch_user_copy_out(uint64_t user_dst, const void *src, size_t len,
                                     uint64_t *fault_addr);

/* One load of an aligned word, whose address must be below ARCH_USER_LIMIT. False: it faults. */
bool arch_user_load64(uint64_t addr, uint64_t *value);
bool arch_user_load32(uint64_t addr, uint64_t *value);

/* ---- devices ---- */

/* Writes to the serial port. Waits for it, at most a bounded number of polls for each burst. Calls
 * must be serialised (log/log.c). */
void arch_log_write(const char *text, size_t len);

/* Handler of a device interrupt. Runs on the first core, with no lock held. */
typedef void (*arch_irq_fn)(void *arg);
/* Allocates an interrupt vector for good, and the message (address, data) that raises it. Takes a
 * lock of its own, last. -TWZ_EFULL. */
MUST_CHECK int arch_msi_alloc(arch_irq_fn fn, void *arg, uint64_t *address, uint32_t *data);

/* Configuration space, registers 0 .. 255; off must be a multiple of 4. Take a lock of their own,
 * last. */
uint32_t arch_pci_read32(unsigned bus, unsigned dev, unsigned fn, unsigned off);
void arch_pci_write32(unsigned bus, unsigned dev, unsigned fn, unsigned off, uint32_t value);

/* ---- x86-64: loads through GS, inline because every call needs them ---- */

static inline unsigned arch_cpu_id(void)
{
    uint64_t id;

    __asm__("movq %%gs:8, %0" : "=r"(id));
    return (unsigned)id;
}

static inline struct cpu *arch_cpu_this(void)
{
    struct cpu *cpu;

    __asm__ volatile("movq %%gs:0, %0" : "=r"(cpu)); /* volatile: arch_cpu_bind changes it */
    return cpu;
}

#endif

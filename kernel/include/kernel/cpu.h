/* SPDX-License-Identifier: MIT */
/* Per-core state of the generic kernel. Only its own core touches it, but for runq and timers. */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include <kernel/timer.h>
#include <lib/list.h>

#define PRIORITIES 32u

struct thread;

struct runq {
    struct spinlock lock;
    uint32_t ready; /* bit p: list[p] is not empty */
    _Atomic uint32_t count;
    struct list list[PRIORITIES];
};

struct cpu {
    unsigned id;
    struct thread *current;        /* NULL: idle or switching */
    _Atomic uint32_t need_resched; /* kernel_exit has something to look at */
    bool yield;                    /* give way to others of the same priority */
    uint64_t slice_end;
    uint64_t armed; /* what the hardware timer is set to */
    void *xsave;    /* a page or more: vector state on its way to or from user memory */
    struct timer_heap timers;
    struct runq runq;
    uint64_t switches;
};

extern struct cpu cpus[MAX_CPUS];

static inline struct cpu *cpu_this(void)
{
    return arch_cpu_this();
}

/* The running thread of this core; in a system call always there. */
static inline struct thread *current(void)
{
    return arch_cpu_this()->current;
}

/* Binds the boot core's struct cpu; first of all. The others come through kernel_cpu_main. */
void cpu_init(void);

#endif

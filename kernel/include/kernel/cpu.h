/* SPDX-License-Identifier: MIT */
/*
 * Per-core state of the generic kernel. Only its own core may touch it, but for timers and runq,
 * which other cores may use under their locks.
 */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include <kernel/lock.h>
#include <kernel/phys.h>
#include <lib/heap.h>
#include <lib/list.h>

#define PRIORITIES  32u
#define TIMER_NEVER UINT64_MAX

struct thread;

struct runq {
    struct spinlock lock;
    uint32_t ready;         /* bit p: list[p] is not empty */
    uint32_t movable;       /* bit p: nmovable[p] is not 0; also read without the lock */
    _Atomic uint32_t count; /* threads in all lists */
    struct list list[PRIORITIES];
    uint32_t nmovable[PRIORITIES]; /* threads of list[p] that may run on other cores, too */
};

struct timer_heap {
    struct spinlock lock;
    uint32_t used;                /* bit p: heap[p] is not empty */
    struct heap heap[PRIORITIES]; /* of struct timer by deadline */
};

struct cpu {
    unsigned id;
    struct thread *current;        /* NULL: the core is idle or between two threads */
    _Atomic uint32_t level;        /* priority + 1 of the running thread; 0: none */
    struct thread *handover;       /* ready, on no queue: gets the core if this thread parks */
    bool handing;                  /* the next thread that wakes becomes `handover` */
    _Atomic uint32_t need_resched; /* kernel_exit must take its slow path */
    bool yield;                    /* the running thread goes behind others of its priority */
    uint64_t slice_end;            /* ns; TIMER_NEVER: no other thread waits for the core */
    uint64_t armed;                /* ns: the deadline that the hardware timer is set to */
    void *xsave; /* arch_xsave_size() bytes: vector state on its way to or from user memory */
    struct timer_heap timers;
    struct runq runq;
    bool limited; /* by phys_limit */
    bool unowned; /* the work in progress is not the running thread's (core/defer.c) */
    uint64_t switches;
};

extern struct cpu cpus[MAX_CPUS];

/* Bit set of the cores that have called cpu_init; only grows. */
extern _Atomic uint64_t online_cpus;

static inline uint64_t all_cpus(void)
{
    return atomic_load_explicit(&online_cpus, memory_order_relaxed);
}

/* Bit set of the cores without a thread. */
extern _Atomic uint64_t idle_cpus;

static inline struct cpu *cpu_this(void)
{
    return arch_cpu_this();
}

/* The running thread of this core; never NULL in a system call. */
static inline struct thread *current(void)
{
    return arch_cpu_this()->current;
}

/* This core's kernel_exit must look for a thread, a signal or deferred work. */
static inline void cpu_set_need_resched(void)
{
    atomic_store_explicit(&cpu_this()->need_resched, 1, memory_order_relaxed);
}

/* The running thread goes behind others of its priority at kernel_exit. */
static inline void cpu_yield(void)
{
    cpu_this()->yield = true;
    cpu_set_need_resched();
}

/* The running thread is gone; kernel_exit must find another. */
static inline void cpu_drop_thread(void)
{
    cpu_this()->current = NULL;
    cpu_set_need_resched();
}

/* This core's allocations leave the reserve of memory alone, or may use it (phys_limit). */
static inline void cpu_limit_memory(bool limited)
{
    struct cpu *cpu = cpu_this();

    if (cpu->limited == limited)
        return;
    cpu->limited = limited;
    phys_limit(limited);
}

/* Binds the struct cpu of this core. Must be called on each core before any other function of the
 * generic kernel. */
void cpu_init(void);

#endif

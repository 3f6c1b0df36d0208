/* SPDX-License-Identifier: MIT */
/*
 * Start and end of threads; see clone.h.
 *
 * A thread cannot free the stack that it runs on, nor its fault stack, nor its thread object. They
 * stay behind with the thread's entry, in state THREAD_ENDED. A later alloc_thread frees them when
 * the thread object's exit word shows that the kernel will not run the thread again.
 */
#include <errno.h>
#include <sched.h>
#include <twz/call.h>
#include <twz/faults.h>

#include "base/err.h"
#include "base/linux.h"
#include "base/lock.h"
#include "base/process.h"
#include "base/signals.h"
#include "base/thread.h"
#include "base/wait.h"
#include "clone.h"
#include "deliver.h"
#include "exit.h"
#include "futex.h"
#include "mem/mem.h"

#define FAULT_STACK (64u << 10)
#define FAULT_READY (12u << 10) /* bytes at the stack's top that setup_alt_stack allocates */

/* Sets the words of the thread object through which the C library and libtwix find their data.
 * Marks the thread as inside a call. */
static void bind_tls(struct thread *t, struct twz_thread *repr, uint64_t table)
{
    repr->user[TWIX_USER_TABLE] = table;
    repr->user[TWIX_USER_THREAD] = (uint64_t)(uintptr_t)t;
    t->in_call = 1;
}

/* Gives the calling thread a stack for faults. Allocates the stack's top pages now: a handler that
 * runs because memory is exhausted cannot get new pages. */
static void setup_alt_stack(struct thread *t)
{
    t->fault_stack = mem_alloc(FAULT_STACK);
    if (!t->fault_stack)
        return;
    for (uint64_t off = FAULT_STACK - FAULT_READY; off < FAULT_STACK; off += TWZ_PAGE_SIZE)
        ((volatile uint8_t *)t->fault_stack)[off] = 0;
    (void)!twz_fault_stack(t->fault_stack, FAULT_STACK);
}

void clone_first(const struct twix_table *table)
{
    struct thread *t = &threads.entry[0];

    t->state = THREAD_LIVE;
    t->tid = thread_number(twz_thread_repr_base()->generation);
    bind_tls(t, twz_thread_repr_base(), (uint64_t)(uintptr_t)table);
    /* Touches the page of `others`: on_fault reads this word, perhaps when no memory is left. */
    __atomic_store_n(&threads.others, 0, __ATOMIC_RELAXED);
    setup_alt_stack(t);
    (void)!twz_object_init_ptr(&t->repr, twz_thread_repr_base());
}

/* --- start ------------------------------------------------------------------------------------ */

/* Frees the objects and stacks of ended threads that the kernel will not run again. The caller must
 * hold threads.lock. */
static void reap_threads(void)
{
    for (unsigned i = 1; i < THREADS_MAX; i++) {
        struct thread *t = &threads.entry[i];

        if (t->state != THREAD_ENDED ||
            __atomic_load_n(&thread_repr(t)->exit, __ATOMIC_ACQUIRE) == 0)
            continue;
        (void)!twz_object_delete(&t->repr, TWZ_DELETE_DEFERRED);
        twz_object_release(&t->repr);
        mem_free(t->fault_stack, FAULT_STACK);
        if (t->unmap_len)
            mem_free(t->unmap_base, t->unmap_len);
        *t = (struct thread){ 0 };
    }
}

static struct thread *alloc_thread(void)
{
    struct thread *t = NULL;

    lock_acquire(&threads.lock);
    reap_threads();
    for (unsigned i = 1; i < THREADS_MAX && !t; i++)
        if (threads.entry[i].state == THREAD_FREE)
            t = &threads.entry[i];
    if (t) {
        t->state = THREAD_LIVE;
        threads.live++;
    }
    lock_release(&threads.lock);
    return t;
}

/* Frees the entry of a thread that could not be spawned. */
static void free_thread(struct thread *t)
{
    lock_acquire(&threads.lock);
    *t = (struct thread){ 0 };
    threads.live--;
    lock_release(&threads.lock);
}

static _Noreturn void end_thread(struct thread *t);

/* Stores the tid in the thread's entry and in the program's words. The new thread and its creator
 * both call this, so the tid is stored whichever of them runs first. */
static void publish_tid(struct thread *t, int *ptid, int *ctid)
{
    t->tid = thread_number(thread_repr(t)->generation);
    if (ptid)
        *ptid = t->tid;
    if (ctid)
        *ctid = t->tid;
}

/* The first function of a new thread. */
static _Noreturn void clone_main(struct thread *t)
{
    publish_tid(t, t->set_ptid, t->set_ctid);
    setup_alt_stack(t);
    if (thread_leave_call(t))
        (void)deliver_pending();
    (void)t->fn(t->arg);
    end_thread(t);
}

/* Creates the thread object and starts the thread in clone_main. After an error there is no thread
 * object. */
static int spawn_thread(struct thread *t, void *stack, void *tls)
{
    struct twz_create create = { .kind = TWZ_KIND_THREAD,
                                 .perms = twz_private_perms(),
                                 .tie = process.view };
    struct twz_spawn spawn = { .view = process.view };
    struct twz_thread *repr;
    int err = err_linux(twz_object_create(&t->repr, &create));

    if (err < 0)
        return err;
    repr = thread_repr(t);
    spawn.thread = t->repr.id;
    spawn.entry = (uint64_t)(uintptr_t)clone_main;
    spawn.stack = ((uint64_t)(uintptr_t)stack & ~15ull) - 8;
    spawn.arg = (uint64_t)(uintptr_t)t;
    spawn.fsbase = (uint64_t)(uintptr_t)tls;
    spawn.gsbase = (uint64_t)(uintptr_t)repr;
    repr->self = spawn.gsbase;
    repr->magic = TWZ_THREAD_MAGIC;
    repr->id = t->repr.id;
    repr->view = twz_thread_repr_base()->view;
    repr->args = twz_thread_repr_base()->args;
    bind_tls(t, repr, twz_thread_repr_base()->user[TWIX_USER_TABLE]);
    err = err_linux(twz_sys_thread_spawn(&spawn));
    if (err < 0) {
        (void)!twz_object_delete(&t->repr, TWZ_DELETE_DEFERRED);
        twz_object_release(&t->repr);
    }
    return err;
}

/* The body of clone_thread, between thread_enter_call and thread_leave_call. */
static int create_thread(int (*fn)(void *), void *stack, int flags, void *arg, int *ptid, void *tls,
                         int *ctid)
{
    const int needed = CLONE_VM | CLONE_THREAD | CLONE_FILES | CLONE_SIGHAND;
    struct thread *t;
    int err;

    if ((flags & needed) != needed)
        return -ENOSYS;
    thread_mark_others();
    t = alloc_thread();
    if (!t)
        return -EAGAIN;
    t->fn = fn;
    t->arg = arg;
    t->mask = thread_self()->mask;
    t->clear_tid = flags & CLONE_CHILD_CLEARTID ? ctid : NULL;
    t->set_ptid = flags & CLONE_PARENT_SETTID ? ptid : NULL;
    t->set_ctid = flags & CLONE_CHILD_SETTID ? ctid : NULL;
    err = spawn_thread(t, stack, flags & CLONE_SETTLS ? tls : NULL);
    if (err < 0) {
        free_thread(t);
        return err == -ENOMEM || err == -ENOSPC ? -EAGAIN : err;
    }
    publish_tid(t, t->set_ptid, NULL);
    return t->tid;
}

int clone_thread(int (*fn)(void *), void *stack, int flags, void *arg, int *ptid, void *tls,
                 int *ctid)
{
    struct thread *self = thread_self();
    int ret;

    thread_enter_call(self);
    ret = create_thread(fn, stack, flags, arg, ptid, tls, ctid);
    if (thread_leave_call(self))
        (void)deliver_pending();
    return ret;
}

/* --- end -------------------------------------------------------------------------------------- */

/* Blocks the first thread until all others have ended, because the process ends with the first
 * thread. The signals of the process reach it still; on_signal passes them on, since it blocks
 * all. */
static void wait_for_others(void)
{
    uint64_t count;

    while ((count = __atomic_load_n(&threads.live, __ATOMIC_ACQUIRE)) != 0)
        (void)wait_word(&threads.live, count, TWZ_FOREVER);
}

static struct twz_sync wake_op(const void *word, uint64_t count, uint32_t width)
{
    return (struct twz_sync){ .addr = (uint64_t)(uintptr_t)word,
                              .value = count,
                              .op = TWZ_SYNC_WAKE | width };
}

/* Zeroes *clear unless `clear` is NULL, performs the wakes of t->last_wake, and exits. A thread
 * that reads the zero may free this stack. So no code after the store may use the stack: the rest
 * is assembly. */
static _Noreturn void exit_unmapped(struct thread *t, int *clear)
{
    register int *word __asm__("r8") = clear;

    __asm__ volatile("test %[word], %[word]\n\t"
                     "jz 1f\n\t"
                     "xor %%ecx, %%ecx\n\t"
                     "xchg %%ecx, (%[word])\n"
                     "1:\tsyscall\n\t"
                     "mov %[exit], %%eax\n\t"
                     "xor %%edi, %%edi\n\t"
                     "syscall\n\t"
                     "ud2"
                     :
                     : "a"(TWZ_SYS_thread_sync), "D"(t->last_wake), "S"(2ul),
                       "d"(0ul), [word] "r"(word), [exit] "i"(TWZ_SYS_thread_exit)
                     : "rcx", "r11", "memory");
    __builtin_unreachable();
}

/* Ends the calling thread: gives signals of the process back, releases its robust locks and wakes
 * the threads that wait for its end. The first thread then waits for all others and ends the
 * process. */
static _Noreturn void end_thread(struct thread *t)
{
    thread_enter_call(t);
    signals_set_mask(t, ~0ull);
    futex_release_robust(t->robust, t->tid);
    if (t == thread_first()) {
        if (t->clear_tid) {
            __atomic_store_n(t->clear_tid, 0, __ATOMIC_SEQ_CST);
            (void)futex_wake(t->clear_tid, 1);
        }
        wait_for_others();
        exit_process(0);
    }
    lock_acquire(&threads.lock);
    t->state = THREAD_ENDED;
    threads.live--;
    t->last_wake[0] = wake_op(&threads.live, threads.live == 0, TWZ_SYNC_64);
    t->last_wake[1] = wake_op(t->clear_tid ? t->clear_tid : &t->tid, 1, TWZ_SYNC_32);
    lock_release(&threads.lock);
    exit_unmapped(t, t->clear_tid);
}

int64_t linux_exit(int64_t status)
{
    if (thread_self() == thread_first() && !thread_has_others())
        exit_process((int)status);
    end_thread(thread_self());
}

void clone_unmapself(void *base, uint64_t len)
{
    struct thread *t = thread_self();

    t->unmap_base = base;
    t->unmap_len = len;
    end_thread(t);
}

/* SPDX-License-Identifier: MIT */
/*
 * Threads: start, end, wait. `lock` guards the table's states and `live`; a thread that ended
 * leaves its thread object, its fault stack and (detached) its own stack behind, which whoever
 * starts the next thread frees once the kernel says in the exit word that nobody stands on them.
 */
#include <errno.h>
#include <sched.h>
#include <twz/call.h>
#include <twz/faults.h>

#include "err.h"
#include "life/deliver.h"
#include "life/futex.h"
#include "life/timers.h"
#include "linux.h"
#include "lock.h"
#include "mem/mem.h"
#include "process.h"
#include "thread.h"

#define FAULT_STACK (64u << 10)
#define FAULT_READY (12u << 10) /* of it, there from the start: for faults that memory is lacking */

static struct thread threads[THREADS_MAX];
static struct twz_mutex lock;
static uint64_t ending; /* 1 and the code of thread_exit << 1, once the process is to end */
static uint64_t live;   /* threads besides the first that have not ended; woken when it gets 0 */
static uint32_t others; /* 1 once there was ever a thread besides the first */

/* Kernel's numbers of threads are unique over the boot, so they serve as process IDs as well. */
int thread_number(const struct twz_thread *repr)
{
    return (int)(repr->generation & 0x3fffffff);
}

static struct twz_thread *repr_of(const struct thread *t)
{
    return twz_object_base(&t->repr);
}

/* The words by which a thread finds the table and its struct. */
static void introduce(struct thread *t, struct twz_thread *repr)
{
    repr->user[TWIX_USER_TABLE] = (uint64_t)(uintptr_t)&twix_table;
    repr->user[TWIX_USER_THREAD] = (uint64_t)(uintptr_t)t;
    t->in_call = 1;
}

/* What a thread does first: a stack for faults. */
static void settle(struct thread *t)
{
    t->fault_stack = mem_alloc(FAULT_STACK);
    if (!t->fault_stack)
        return;
    for (uint64_t off = FAULT_STACK - FAULT_READY; off < FAULT_STACK; off += TWZ_PAGE_SIZE)
        ((volatile uint8_t *)t->fault_stack)[off] = 0;
    twz_fault_stack(t->fault_stack, FAULT_STACK);
}

void thread_init(void)
{
    struct thread *t = &threads[0];

    t->state = THREAD_LIVE;
    t->tid = thread_number(twz_thread_repr_base());
    introduce(t, twz_thread_repr_base());
    __atomic_store_n(&others, 0, __ATOMIC_RELAXED); /* there from now on, when memory is lacking */
    settle(t);
    (void)!twz_object_init_ptr(&t->repr, twz_thread_repr_base());
}

struct thread *thread_find(int64_t tid)
{
    for (unsigned i = 0; i < THREADS_MAX; i++)
        if (threads[i].state == THREAD_LIVE && threads[i].tid == tid)
            return &threads[i];
    return NULL;
}

void thread_drop_signal(uint64_t bit)
{
    for (unsigned i = 0; i < THREADS_MAX; i++)
        if (threads[i].state == THREAD_LIVE)
            __atomic_fetch_and(&threads[i].pending, ~bit, __ATOMIC_ACQ_REL);
}

uint64_t thread_owner_word(const struct twz_thread *repr)
{
    uint64_t resumed = process_system()->resume_count & 0x7fffffff;

    return (repr->generation & 0xffffffffu) | resumed << 32;
}

uint64_t thread_process_word(void)
{
    return thread_owner_word(repr_of(&threads[0]));
}

int thread_others(void)
{
    return (int)__atomic_load_n(&others, __ATOMIC_RELAXED);
}

void thread_note_other(void)
{
    __atomic_store_n(&others, 1, __ATOMIC_RELAXED);
}

/* --- start ------------------------------------------------------------------------------------ */

/* Frees what ended threads left, as far as nobody stands on it any more. Under the lock. */
static void reap(void)
{
    for (unsigned i = 1; i < THREADS_MAX; i++) {
        struct thread *t = &threads[i];

        if (t->state != THREAD_ENDED || __atomic_load_n(&repr_of(t)->exit, __ATOMIC_ACQUIRE) == 0)
            continue;
        (void)!twz_object_delete(&t->repr, TWZ_DELETE_DEFERRED);
        twz_object_release(&t->repr);
        mem_free(t->fault_stack, FAULT_STACK);
        if (t->unmap_len)
            mem_free(t->unmap_base, t->unmap_len);
        *t = (struct thread){ 0 };
    }
}

static struct thread *new_thread(void)
{
    struct thread *t = NULL;

    lock_take(&lock);
    reap();
    for (unsigned i = 1; i < THREADS_MAX && !t; i++)
        if (threads[i].state == THREAD_FREE)
            t = &threads[i];
    if (t) {
        t->state = THREAD_LIVE;
        live++;
    }
    lock_drop(&lock);
    return t;
}

/* It did not come to be. */
static void forget_thread(struct thread *t)
{
    lock_take(&lock);
    *t = (struct thread){ 0 };
    live--;
    lock_drop(&lock);
}

static _Noreturn void thread_end(struct thread *t);

/* The new thread and its maker both say its number: whoever comes first. */
static void tell_number(struct thread *t, int *ptid, int *ctid)
{
    t->tid = thread_number(repr_of(t));
    if (ptid)
        *ptid = t->tid;
    if (ctid)
        *ctid = t->tid;
}

static _Noreturn void begin(struct thread *t)
{
    tell_number(t, t->tell_parent, t->tell_child);
    settle(t);
    if (thread_leave_call(t))
        (void)signals_deliver();
    (void)t->fn(t->arg);
    thread_end(t);
}

static int64_t launch(struct thread *t, void *stack, void *tls)
{
    struct twz_create create = { .kind = TWZ_KIND_THREAD,
                                 .perms = TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL,
                                 .tie = process.view };
    struct twz_spawn spawn = { .view = process.view };
    int64_t ret = twz_object_create(&t->repr, &create);

    if (ret < 0)
        return err_linux(ret);
    spawn.thread = t->repr.id;
    spawn.entry = (uint64_t)(uintptr_t)begin;
    spawn.stack = ((uint64_t)(uintptr_t)stack & ~15ull) - 8;
    spawn.arg = (uint64_t)(uintptr_t)t;
    spawn.fsbase = (uint64_t)(uintptr_t)tls;
    spawn.gsbase = (uint64_t)(uintptr_t)repr_of(t);
    repr_of(t)->self = spawn.gsbase;
    repr_of(t)->magic = TWZ_THREAD_MAGIC;
    repr_of(t)->id = t->repr.id;
    introduce(t, repr_of(t));
    ret = err_linux(twz_sys_thread_spawn(&spawn));
    if (ret < 0) {
        (void)!twz_object_delete(&t->repr, TWZ_DELETE_DEFERRED);
        twz_object_release(&t->repr);
    }
    return ret;
}

static int clone_thread(int (*fn)(void *), void *stack, int flags, void *arg, int *ptid, void *tls,
                        int *ctid)
{
    const int needed = CLONE_VM | CLONE_THREAD | CLONE_FILES | CLONE_SIGHAND;
    struct thread *t;
    int64_t ret;

    if ((flags & needed) != needed)
        return -ENOSYS;
    thread_note_other();
    t = new_thread();
    if (!t)
        return -EAGAIN;
    t->fn = fn;
    t->arg = arg;
    t->mask = thread_self()->mask;
    t->clear_tid = flags & CLONE_CHILD_CLEARTID ? ctid : NULL;
    t->tell_parent = flags & CLONE_PARENT_SETTID ? ptid : NULL;
    t->tell_child = flags & CLONE_CHILD_SETTID ? ctid : NULL;
    ret = launch(t, stack, flags & CLONE_SETTLS ? tls : NULL);
    if (ret < 0) {
        forget_thread(t);
        return ret == -ENOMEM || ret == -ENOSPC ? -EAGAIN : (int)ret;
    }
    tell_number(t, t->tell_parent, NULL);
    return t->tid;
}

int thread_clone(int (*fn)(void *), void *stack, int flags, void *arg, int *ptid, void *tls,
                 int *ctid)
{
    struct thread *self = thread_self();
    int err;

    thread_enter(self);
    err = clone_thread(fn, stack, flags, arg, ptid, tls, ctid);
    if (thread_leave_call(self))
        (void)signals_deliver();
    return err;
}

/* --- end -------------------------------------------------------------------------------------- */

/* To a thread that does not block it, if there is one. */
static void hand_on(int signo)
{
    struct thread *to = NULL;

    for (unsigned i = 1; i < THREADS_MAX; i++) {
        struct thread *t = &threads[i];

        if (t->state != THREAD_LIVE || !t->repr.start)
            continue;
        if (!to || !(t->mask & SIGNAL_BIT(signo)))
            to = t;
        if (!(to->mask & SIGNAL_BIT(signo)))
            break;
    }
    if (to)
        (void)twz_sys_thread_signal(to->repr.id, (uint64_t)signo, 0);
}

/* The first thread stays until all others are gone: its end is the process's. Signals for the
 * process still come to it; the others are to have them. */
static void wait_for_others(struct thread *first)
{
    uint64_t count, signals;

    first->mask = 0;
    while ((count = __atomic_load_n(&live, __ATOMIC_ACQUIRE)) != 0) {
        if (thread_wait_word(&live, count, TWZ_FOREVER) != -EINTR)
            continue;
        signals = __atomic_exchange_n(&first->pending, 0, __ATOMIC_ACQ_REL);
        for (; signals; signals &= signals - 1)
            hand_on(__builtin_ctzll(signals) + 1);
    }
}

static struct twz_sync wake_of(const void *word, uint64_t count, uint32_t width)
{
    return (struct twz_sync){ .addr = (uint64_t)(uintptr_t)word,
                              .value = count,
                              .op = TWZ_SYNC_WAKE | width };
}

/* Zeroes the word (NULL: none), does the last wakes and ends the thread. Whoever sees the zero may
 * free the thread's stack, so from there on nothing is on it. */
static _Noreturn void leave_stack(struct thread *t, int *clear)
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
                     : "a"(TWZ_SYS_thread_sync), "D"(t->last), "S"(2ul),
                       "d"(0ul), [word] "r"(word), [exit] "i"(TWZ_SYS_thread_exit)
                     : "rcx", "r11", "memory");
    __builtin_unreachable();
}

static _Noreturn void thread_end(struct thread *t)
{
    thread_enter(t);
    futex_robust_release(t->robust, t->tid);
    if (t == &threads[0]) {
        if (t->clear_tid) {
            __atomic_store_n(t->clear_tid, 0, __ATOMIC_SEQ_CST);
            (void)futex_wake(t->clear_tid, 1);
        }
        wait_for_others(t);
        process_exit(0);
    }
    lock_take(&lock);
    t->state = THREAD_ENDED;
    live--;
    t->last[0] = wake_of(&live, live == 0, TWZ_SYNC_64);
    t->last[1] = wake_of(t->clear_tid ? t->clear_tid : &t->tid, 1, TWZ_SYNC_32);
    lock_drop(&lock);
    leave_stack(t, t->clear_tid);
}

int64_t linux_exit(int64_t status)
{
    if (thread_self() == &threads[0] && !others)
        process_exit((int)status);
    thread_end(thread_self());
}

void thread_unmapself(void *base, uint64_t len)
{
    struct thread *t = thread_self();

    t->unmap_base = base;
    t->unmap_len = len;
    thread_end(t);
}

void thread_stop_others(uint64_t code)
{
    struct thread *self = thread_self();
    uint64_t none = 0;

    if (!__atomic_compare_exchange_n(&ending, &none, 1 | code << 1, 0, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        twz_thread_exit(none >> 1);
    for (unsigned i = 1; i < THREADS_MAX; i++) {
        struct thread *t = &threads[i];

        if (t != self && t->state != THREAD_FREE && t->repr.start)
            (void)twz_sys_thread_signal(t->repr.id, TWZ_SIGNAL_KILL, 0);
    }
    timers_end();
}

void thread_leave(uint64_t code)
{
    if (thread_self() != &threads[0])
        (void)twz_sys_thread_signal(threads[0].repr.id, SIGNAL_END, code | SIGNAL_END_FLAG);
    twz_thread_exit(code);
}

const struct thread *thread_first(void)
{
    return &threads[0];
}

int64_t linux_set_tid_address(void *word)
{
    struct thread *t = thread_self();

    t->clear_tid = word;
    return t->tid;
}

int64_t linux_set_robust_list(void *head, uint64_t len)
{
    if (len != 24)
        return -EINVAL;
    thread_self()->robust = head;
    return 0;
}

int64_t linux_gettid(void)
{
    return thread_self()->tid;
}

int64_t linux_sched_yield(void)
{
    return err_linux(twz_sys_thread_ctl(TWZ_OBJID_NONE, TWZ_THREAD_YIELD, 0));
}

/* --- waiting ---------------------------------------------------------------------------------- */

int64_t thread_wait(struct twz_sync *ops, uint64_t count, uint64_t deadline)
{
    const struct thread *t = thread_self();
    uint64_t pending = __atomic_load_n(&t->pending, __ATOMIC_ACQUIRE);
    int64_t ret;

    if (signals_waiting())
        return -EINTR;
    ops[count] = thread_sleep_on(&t->pending, pending);
    ret = err_linux(twz_sys_thread_sync(ops, count + 1, deadline));
    if (signals_waiting())
        return -EINTR;
    return ret == -EINTR ? 0 : ret;
}

int64_t thread_wait_word(const uint64_t *word, uint64_t value, uint64_t deadline)
{
    struct twz_sync ops[2] = { thread_sleep_on(word, value) };

    return thread_wait(ops, 1, deadline);
}

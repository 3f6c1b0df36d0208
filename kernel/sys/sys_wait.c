/* SPDX-License-Identifier: MIT */
/*
 * Handlers of thread_wait, thread_wake and thread_wake_wait. A sleeper leaves its core parked on
 * the SYSCALL instruction, with its arguments in their registers. The only result is that of the
 * call, which finish_wait gives; a sleeper that is resumed unclaimed (a late signal to an earlier
 * sleep) returns as if it was woken.
 */
#include <kernel/arch_regs.h>
#include <kernel/progress.h>
#include <kernel/sched.h>
#include <kernel/sync.h>
#include "calls.h"
#include "word.h"

/* Ends a sleep, when the thread is on a core again with its registers in *frame. */
static void finish_wait(struct thread *t, struct arch_frame *frame)
{
    int64_t result = 0;

    switch (sync_cancel(t, word_put)) {
    case SYNC_TIMEDOUT: result = -TWZ_ETIMEDOUT; break;
    case SYNC_INTERRUPTED: result = -TWZ_EINTR; break;
    default: break;
    }
    arch_call_complete(&frame->regs, result);
}

/* Parks the thread, unless the word differs or a signal is pending. Takes over the reference. */
static int64_t sleep_on_word(struct arch_frame *frame, struct object *obj, uint64_t addr,
                             uint64_t value, uint64_t deadline, bool wide)
{
    struct thread *t = current();
    int ret = sync_begin(t, 1);

    if (ret < 0) {
        obj_put(obj);
        return ret;
    }
    sync_queue(t, obj, addr % TWZ_OBJ_SIZE, 0);
    ret = word_differs(addr, wide, value);
    if (ret == 0 && atomic_load(&t->pending) != 0)
        ret = -TWZ_EINTR;
    else if (ret == 0 && deadline != TWZ_FOREVER && deadline <= arch_clock_ns())
        ret = -TWZ_ETIMEDOUT;
    if (ret != 0) {
        bool woken = sync_cancel(t, word_put) == SYNC_WOKEN;

        return ret > 0 || woken ? 0 : ret;
    }
    if (deadline != TWZ_FOREVER)
        sync_deadline(t, deadline);
    arch_call_rewind(&frame->regs, arch_call_number(&frame->regs));
    t->resume = finish_wait;
    sched_park();
    return SYS_KEEP;
}

static int check_wait(uint64_t addr, uint64_t flags)
{
    if ((flags & ~(uint64_t)TWZ_SYNC_64) != 0 || !word_is_aligned(addr, flags != 0))
        return -TWZ_EINVAL;
    return 0;
}

int64_t sys_thread_wait(struct arch_frame *frame, uint64_t addr, uint64_t value, uint64_t deadline,
                        uint64_t flags)
{
    struct object *obj;
    unsigned rights;
    int err = check_wait(addr, flags);

    if (err == 0)
        err = word_object(addr, TWZ_READ, &obj, &rights);
    return err < 0 ? err : sleep_on_word(frame, obj, addr, value, deadline, flags != 0);
}

/* Continues after a batch. The number of threads woken so far is in the thread's progress. */
static int64_t wake_again(struct arch_frame *frame, unsigned woken)
{
    progress_begin(&frame->regs);
    current()->progress.index += woken;
    return sys_again(frame);
}

int64_t sys_thread_wake(struct arch_frame *frame, uint64_t addr, uint64_t count)
{
    uint64_t before = progress_of(&frame->regs);
    struct object *obj;
    unsigned woken = 0, rights;
    bool more;
    int err;

    if (!word_is_aligned(addr, false))
        return -TWZ_EINVAL;
    err = word_object(addr, TWZ_WRITE, &obj, &rights);
    if (err < 0)
        return err;
    more = sync_wake(obj, addr % TWZ_OBJ_SIZE, count - before, &woken);
    obj_put(obj);
    if (more)
        return wake_again(frame, woken);
    if (before != 0)
        progress_end();
    return (int64_t)(before + woken);
}

/* Wakes one sleeper of the word. `known` is the object at another address of the slot, or NULL.
 * Returns 1 if a batch met only waiters whose sleep had ended, and more are left. */
static int wake_one(uint64_t addr, const struct object *known)
{
    struct object *obj = NULL;
    unsigned woken = 0, rights;
    int err = known ? 0 : word_object(addr, TWZ_WRITE, &obj, &rights);

    if (err < 0)
        return err;
    err = sync_wake(known ? known : obj, addr % TWZ_OBJ_SIZE, 1, &woken);
    if (obj)
        obj_put(obj);
    return err;
}

int64_t sys_thread_wake_wait(struct arch_frame *frame, uint64_t wake, uint64_t addr, uint64_t value,
                             uint64_t deadline, uint64_t flags)
{
    struct object *obj;
    unsigned rights;
    int64_t ret = check_wait(addr, flags);
    bool same;

    if (ret == 0 && !word_is_aligned(wake, false))
        ret = -TWZ_EINVAL;
    if (ret == 0)
        ret = word_object(addr, TWZ_READ, &obj, &rights);
    if (ret < 0)
        return ret;
    same = (wake ^ addr) < TWZ_OBJ_SIZE && (rights & TWZ_WRITE) != 0;
    sched_handover_begin();
    ret = wake_one(wake, same ? obj : NULL);
    if (ret == 0)
        ret = sleep_on_word(frame, obj, addr, value, deadline, flags != 0);
    else
        obj_put(obj);
    sched_handover_end();
    return ret == 1 ? sys_again(frame) : ret;
}

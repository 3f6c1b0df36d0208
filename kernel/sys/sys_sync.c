/* SPDX-License-Identifier: MIT */
/*
 * Handler of thread_sync.
 *
 * A sleeper leaves its core parked on the SYSCALL instruction, with its arguments in place. The
 * results of all operations must be in user memory before it leaves. On the way back to user mode
 * finish_sleep stores the one result that has changed, and moves the thread behind the SYSCALL. A
 * sleeper that is resumed unclaimed (a late signal to an earlier sleep) makes the call again.
 */
#include <kernel/arch_regs.h>
#include <kernel/sched.h>
#include <kernel/sync.h>
#include <kernel/view.h>
#include "calls.h"

static void put_key(const void *object)
{
    obj_put((struct object *)(uintptr_t)object);
}

static bool is_sleep(const struct twz_sync *op)
{
    return (op->op & ~TWZ_SYNC_64) == TWZ_SYNC_SLEEP;
}

static bool is_wide(const struct twz_sync *op)
{
    return (op->op & TWZ_SYNC_64) != 0;
}

static int validate_op(const struct twz_sync *op)
{
    uint64_t width = is_wide(op) ? 8 : 4;

    if ((op->op & ~TWZ_SYNC_64) > TWZ_SYNC_WAKE || (op->addr & (width - 1)) != 0)
        return -TWZ_EINVAL;
    return 0;
}

/* Stores the result of operation i, unless it is there already. */
static int store_result(uint64_t ops, unsigned i, struct twz_sync *op, int32_t result)
{
    uint64_t at = ops + i * sizeof(*op) + offsetof(struct twz_sync, result);

    if (op->result == result)
        return 0;
    op->result = result;
    return user_copy_out(at, &result, sizeof(result));
}

static int32_t wake_sleepers(const struct twz_sync *op)
{
    struct object *obj;
    uint64_t off;
    unsigned n;

    if (view_lookup(current()->addrspace, op->addr, TWZ_READ, &obj, &off) < 0)
        return -TWZ_EFAULT;
    n = sync_wake_all_batches(obj, off, op->value);
    obj_put(obj);
    return (int32_t)n;
}

/* 1: the word differs from the value of the sleep. */
static int compare_word(const struct twz_sync *op)
{
    uint64_t word;
    int err = user_load(op->addr, is_wide(op), &word);

    if (err < 0)
        return err;
    return word != (is_wide(op) ? op->value : (uint32_t)op->value);
}

/* Does all wakes, in order. Adds the threads woken to *woken, the sleeps to *sleeps. */
static int do_wakes(uint64_t ops, struct twz_sync *op, unsigned count, unsigned *woken,
                    unsigned *sleeps)
{
    for (unsigned i = 0; i < count; i++) {
        int32_t n;
        int err = validate_op(&op[i]);

        if (err < 0)
            return err;
        if (is_sleep(&op[i])) {
            (*sleeps)++;
            continue;
        }
        n = wake_sleepers(&op[i]);
        *woken += n > 0 ? (unsigned)n : 0;
        err = store_result(ops, i, &op[i], n);
        if (err < 0)
            return err;
    }
    return 0;
}

/* The number of sleeps whose word differs. Stores the result of each. */
static int compare_all(uint64_t ops, struct twz_sync *op, unsigned count)
{
    int ready = 0;

    for (unsigned i = 0; i < count; i++) {
        int one, err;

        if (!is_sleep(&op[i]))
            continue;
        one = compare_word(&op[i]);
        err = one < 0 ? one : store_result(ops, i, &op[i], one);
        if (err < 0)
            return err;
        ready += one;
    }
    return ready;
}

/* Queues all sleeps, then compares all words: *changed is an operation whose word differs, or
 * count. */
static int queue_all(struct thread *t, uint64_t ops, struct twz_sync *op, unsigned count,
                     unsigned *changed)
{
    struct object *obj;
    uint64_t off;
    unsigned i;
    int err;

    for (i = 0; i < count; i++) {
        if (!is_sleep(&op[i]))
            continue;
        err = store_result(ops, i, &op[i], 0);
        if (err == 0)
            err = view_lookup(t->addrspace, op[i].addr, TWZ_READ, &obj, &off);
        if (err < 0)
            return err;
        sync_queue(t, obj, off, i);
    }
    for (i = 0; i < count; i++) {
        err = is_sleep(&op[i]) ? compare_word(&op[i]) : 0;
        if (err < 0)
            return err;
        if (err > 0)
            break;
    }
    *changed = i;
    return 0;
}

/* Ends a sleep, when the thread is on a core again with its registers in *frame. */
static void finish_sleep(struct thread *t, struct arch_frame *frame)
{
    uint64_t ops = arch_call_arg(&frame->regs, 0);
    int32_t one = 1;
    int64_t result = 1;

    switch (sync_cancel(t, put_key)) {
    case SYNC_WOKEN:
        ops += t->sync_index * sizeof(struct twz_sync) + offsetof(struct twz_sync, result);
        if (user_copy_out(ops, &one, sizeof(one)) < 0)
            result = -TWZ_EFAULT;
        break;
    case SYNC_TIMEDOUT: result = -TWZ_ETIMEDOUT; break;
    case SYNC_INTERRUPTED: result = -TWZ_EINTR; break;
    default: return; /* unclaimed: the thread makes the call again */
    }
    arch_call_complete(&frame->regs, result);
}

/* Parks the thread, unless a word has changed or a signal is pending. */
static int64_t begin_sleep(struct arch_frame *frame, struct twz_sync *op, unsigned count,
                           unsigned sleeps, uint64_t deadline)
{
    uint64_t ops = arch_call_arg(&frame->regs, 0);
    struct thread *t = current();
    unsigned changed = count;
    int err = sync_begin(t, sleeps);

    if (err < 0)
        return err;
    err = queue_all(t, ops, op, count, &changed);
    if (err == 0 && atomic_load(&t->pending) != 0)
        err = -TWZ_EINTR;
    if (err < 0 || changed < count) {
        if (sync_cancel(t, put_key) == SYNC_WOKEN && changed == count)
            changed = t->sync_index;
        if (changed == count)
            return err;
        err = store_result(ops, changed, &op[changed], 1);
        return err < 0 ? err : 1;
    }
    if (deadline != TWZ_FOREVER)
        sync_deadline(t, deadline);
    arch_call_rewind(&frame->regs, arch_call_number(&frame->regs));
    t->resume = finish_sleep;
    sched_park();
    return SYS_KEEP;
}

int64_t sys_thread_sync(struct arch_frame *frame, struct user_ops ops, uint64_t count,
                        uint64_t deadline)
{
    struct twz_sync op[TWZ_SYNC_MAX];
    unsigned woken = 0, sleeps = 0;
    bool late;
    int err;

    if (count == 0 || count > TWZ_SYNC_MAX)
        return -TWZ_EINVAL;
    err = user_copy_in(op, USER_ADDR(ops), count * sizeof(op[0]));
    if (err == 0)
        err = do_wakes(USER_ADDR(ops), op, (unsigned)count, &woken, &sleeps);
    if (err < 0)
        return err;
    if (sleeps == 0)
        return woken;
    late = deadline != TWZ_FOREVER && deadline <= arch_clock_ns();
    /* A single sleep is compared once it is queued, and that decides. */
    err = sleeps > 1 || late ? compare_all(USER_ADDR(ops), op, (unsigned)count) : 0;
    if (err != 0)
        return err;
    if (late)
        return -TWZ_ETIMEDOUT;
    return begin_sleep(frame, op, (unsigned)count, sleeps, deadline);
}

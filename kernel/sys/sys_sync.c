/* SPDX-License-Identifier: MIT */
/*
 * Handler of thread_sync. A sleeper leaves the core with its instruction pointer at the SYSCALL and
 * its arguments in place; the result of each operation is in user memory before it leaves, so that
 * on waking only the one that was woken needs to be marked. Resumed without a claim (a late signal
 * to an earlier sleep), it goes to sleep again through the call itself.
 */
#include <kernel/arch_regs.h>
#include <kernel/sched.h>
#include <kernel/sync.h>
#include <kernel/view.h>
#include "calls.h"

static void release(const void *object)
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

static int check_op(const struct twz_sync *op)
{
    uint64_t width = is_wide(op) ? 8 : 4;

    if ((op->op & ~TWZ_SYNC_64) > TWZ_SYNC_WAKE || (op->addr & (width - 1)) != 0)
        return -TWZ_EINVAL;
    return 0;
}

/* Stores the result of operation i where it is not there already. */
static int put_result(uint64_t ops, unsigned i, struct twz_sync *op, int32_t result)
{
    uint64_t at = ops + i * sizeof(*op) + offsetof(struct twz_sync, result);

    if (op->result == result)
        return 0;
    op->result = result;
    return user_copy_out(at, &result, sizeof(result));
}

static int32_t do_wake(const struct twz_sync *op)
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

/* 1: the word differs from what it should sleep on. */
static int differs(const struct twz_sync *op)
{
    uint64_t word;
    int err = user_load(op->addr, is_wide(op), &word);

    if (err < 0)
        return err;
    return word != (is_wide(op) ? op->value : (uint32_t)op->value);
}

/* Wakes in order; *woken threads, *sleeps operations that could sleep. */
static int do_wakes(uint64_t ops, struct twz_sync *op, unsigned count, unsigned *woken,
                    unsigned *sleeps)
{
    unsigned i;

    for (i = 0; i < count; i++) {
        int32_t n;
        int err = check_op(&op[i]);

        if (err < 0)
            return err;
        if (is_sleep(&op[i])) {
            (*sleeps)++;
            continue;
        }
        n = do_wake(&op[i]);
        *woken += n > 0 ? (unsigned)n : 0;
        err = put_result(ops, i, &op[i], n);
        if (err < 0)
            return err;
    }
    return 0;
}

/* How many sleeps' words differ from what they should sleep on. */
static int look(uint64_t ops, struct twz_sync *op, unsigned count)
{
    int ready = 0;
    unsigned i;

    for (i = 0; i < count; i++) {
        int one, err;

        if (!is_sleep(&op[i]))
            continue;
        one = differs(&op[i]);
        err = one < 0 ? one : put_result(ops, i, &op[i], one);
        if (err < 0)
            return err;
        ready += one;
    }
    return ready;
}

/* Queues all sleeps, and looks again: *changed is an operation whose word differs now, or count. */
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
        err = put_result(ops, i, &op[i], 0);
        if (err == 0)
            err = view_lookup(t->addrspace, op[i].addr, TWZ_READ, &obj, &off);
        if (err < 0)
            return err;
        sync_queue(t, obj, off, i);
    }
    for (i = 0; i < count; i++) {
        err = is_sleep(&op[i]) ? differs(&op[i]) : 0;
        if (err < 0)
            return err;
        if (err > 0)
            break;
    }
    *changed = i;
    return 0;
}

/* The end of a sleep, on the thread's own core, with its registers in *frame. */
static void resume(struct thread *t, struct arch_frame *frame)
{
    uint64_t ops = arch_call_arg(&frame->regs, 0);
    int32_t one = 1;
    int64_t result = 1;

    switch (sync_cancel(t, release)) {
    case SYNC_WOKEN:
        ops += t->sync_index * sizeof(struct twz_sync) + offsetof(struct twz_sync, result);
        if (user_copy_out(ops, &one, sizeof(one)) < 0)
            result = -TWZ_EFAULT;
        break;
    case SYNC_TIMEDOUT: result = -TWZ_ETIMEDOUT; break;
    case SYNC_INTERRUPTED: result = -TWZ_EINTR; break;
    default: return; /* the call is made again */
    }
    arch_call_complete(&frame->regs, result);
}

static int64_t sleep_on(struct arch_frame *frame, struct twz_sync *op, unsigned count,
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
        if (sync_cancel(t, release) == SYNC_WOKEN && changed == count)
            changed = t->sync_index;
        if (changed == count)
            return err;
        err = put_result(ops, changed, &op[changed], 1);
        return err < 0 ? err : 1;
    }
    if (deadline != TWZ_FOREVER)
        sync_deadline(t, deadline);
    arch_call_rewind(&frame->regs, arch_call_number(&frame->regs));
    t->resume = resume;
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
    /* A single sleep is looked at once it is queued; that is the look that counts. */
    err = sleeps > 1 || late ? look(USER_ADDR(ops), op, (unsigned)count) : 0;
    if (err != 0)
        return err;
    if (late)
        return -TWZ_ETIMEDOUT;
    return sleep_on(frame, op, (unsigned)count, sleeps, deadline);
}

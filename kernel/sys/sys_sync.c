/* SPDX-License-Identifier: MIT */
/*
 * Handler of thread_sync.
 *
 * A sleeper leaves its core parked on the SYSCALL instruction, with its arguments in place. The
 * results of all operations must be in user memory before it leaves. On the way back to user mode
 * finish_sleep stores the one result that has changed, and moves the thread behind the SYSCALL. A
 * sleeper that is resumed unclaimed (a late signal to an earlier sleep) makes the call again.
 *
 * One stay wakes SYNC_WAKE_BATCH threads at most, and resolves WORD_TOUCHES faults. Then the thread
 * makes the call again: wakes go on where they stopped, and words that were touched once are
 * mapped.
 */
#include <kernel/arch_regs.h>
#include <kernel/progress.h>
#include <kernel/sched.h>
#include <kernel/sync.h>
#include "calls.h"
#include "word.h"

struct sync_call {
    struct arch_frame *frame;
    uint64_t ops; /* user address of the array */
    struct twz_sync *op;
    unsigned count;
    unsigned sleeps;
    uint32_t touches; /* of the thread, when this stay began */
    /* the work of earlier stays and of this one: */
    bool continued; /* there were earlier ones */
    unsigned at;    /* operations before this one are done, if they are wakes */
    unsigned part;  /* threads woken by that operation */
    unsigned woken; /* threads woken by those before */
};

/* The last three in one word of the thread's progress, which is not 0. */
#define PACK_AT    8u
#define PACK_PART  28u
#define PACK_VALID (1ull << 63)

static bool is_sleep(const struct twz_sync *op)
{
    return (op->op & ~TWZ_SYNC_64) == TWZ_SYNC_SLEEP;
}

static bool is_wide(const struct twz_sync *op)
{
    return (op->op & TWZ_SYNC_64) != 0;
}

/* Counts the sleeps. */
static int validate_ops(struct sync_call *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        const struct twz_sync *op = &c->op[i];

        if ((op->op & ~TWZ_SYNC_64) > TWZ_SYNC_WAKE || !word_is_aligned(op->addr, is_wide(op)))
            return -TWZ_EINVAL;
        c->sleeps += is_sleep(op);
    }
    return 0;
}

/* Reads the work of earlier stays of this call from the thread's progress. */
static void load_progress(struct sync_call *c)
{
    uint64_t done = progress_of(&c->frame->regs);

    c->touches = current()->touches;
    c->continued = done != 0;
    c->at = (unsigned)(done & ((1u << PACK_AT) - 1));
    c->part = (unsigned)(done >> PACK_AT & ((1u << PACK_PART) - 1));
    c->woken = (unsigned)((done & ~PACK_VALID) >> (PACK_AT + PACK_PART));
}

/* The thread makes the call again, which continues after the wakes that are done. */
static int64_t make_again(const struct sync_call *c)
{
    progress_begin(&c->frame->regs);
    current()->progress.index = PACK_VALID | (uint64_t)c->woken << (PACK_AT + PACK_PART) |
                                (uint64_t)c->part << PACK_AT | c->at;
    return sys_again(c->frame);
}

/* The stay is full, or it met an error that does not count. */
static bool is_repeated(int ret)
{
    return ret == 1 || (ret < 0 && thread_takes_retry());
}

static bool is_stay_full(const struct sync_call *c)
{
    return current()->touches - c->touches >= WORD_TOUCHES;
}

/* Stores the result of operation i, unless it is there already. */
static int store_result(const struct sync_call *c, unsigned i, int32_t result)
{
    uint64_t at = c->ops + i * sizeof(c->op[0]) + offsetof(struct twz_sync, result);

    if (c->op[i].result == result)
        return 0;
    c->op[i].result = result;
    return user_copy_out(at, &result, sizeof(result));
}

/* Adds the threads woken to c->part. 1: a batch is full, and more may sleep. */
static int wake_sleepers(struct sync_call *c, const struct twz_sync *op)
{
    struct object *obj;
    unsigned rights;
    bool more;

    if (word_object(op->addr, TWZ_WRITE, &obj, &rights) < 0)
        return -TWZ_EFAULT;
    more = sync_wake(obj, op->addr % TWZ_OBJ_SIZE, op->value - c->part, &c->part);
    obj_put(obj);
    return more;
}

/* Does the wakes that are left, in order. 1: the stay is full. */
static int do_wakes(struct sync_call *c)
{
    unsigned budget = SYNC_WAKE_BATCH;

    for (; c->at < c->count; c->at++, c->part = 0) {
        unsigned before = c->part;
        int err;

        if (is_sleep(&c->op[c->at]))
            continue;
        if (budget == 0 || is_stay_full(c))
            return 1;
        err = wake_sleepers(c, &c->op[c->at]);
        if (err == 1 || (err < 0 && thread_takes_retry()))
            return 1;
        budget -= c->part - before < budget ? c->part - before : budget;
        c->woken += c->part;
        err = store_result(c, c->at, err < 0 ? err : (int32_t)c->part);
        if (err < 0)
            return err;
    }
    return 0;
}

static int compare_word(const struct twz_sync *op)
{
    return word_differs(op->addr, is_wide(op), op->value);
}

/* *ready: the number of sleeps whose word differs. Stores the result of each. 1: the stay is
 * full. */
static int compare_all(struct sync_call *c, unsigned *ready)
{
    *ready = 0;
    for (unsigned i = 0; i < c->count; i++) {
        int one, err;

        if (!is_sleep(&c->op[i]))
            continue;
        if (is_stay_full(c))
            return 1;
        one = compare_word(&c->op[i]);
        err = one < 0 ? one : store_result(c, i, one);
        if (err < 0)
            return err;
        *ready += (unsigned)one;
    }
    return 0;
}

/* Queues all sleeps. 1: the stay is full. */
static int queue_all(struct sync_call *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        struct object *obj;
        unsigned rights;
        int err;

        if (!is_sleep(&c->op[i]))
            continue;
        if (is_stay_full(c))
            return 1;
        err = store_result(c, i, 0);
        if (err == 0)
            err = word_object(c->op[i].addr, TWZ_READ, &obj, &rights);
        if (err < 0)
            return err;
        sync_queue(current(), obj, c->op[i].addr % TWZ_OBJ_SIZE, i);
    }
    return 0;
}

/* *changed: an operation whose word differs, or count. 1: the stay is full. */
static int find_changed(const struct sync_call *c, unsigned *changed)
{
    int one = 0;
    unsigned i;

    for (i = 0; i < c->count && one == 0; i++) {
        if (!is_sleep(&c->op[i]))
            continue;
        if (is_stay_full(c))
            return 1;
        one = compare_word(&c->op[i]);
        if (one > 0)
            *changed = i;
    }
    return one < 0 ? one : 0;
}

/* Ends a sleep, when the thread is on a core again with its registers in *frame. */
static void finish_sleep(struct thread *t, struct arch_frame *frame)
{
    uint64_t ops = arch_call_arg(&frame->regs, 0);
    int32_t one = 1;
    int64_t result = 1;

    switch (sync_cancel(t, word_put)) {
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

/* Ends a sleep that has not begun: `ret` is an error or 1 for a full stay, or 0 and an operation
 * has changed. */
static int64_t give_up_sleep(const struct sync_call *c, int ret, unsigned changed)
{
    struct thread *t = current();
    int err;

    if (sync_cancel(t, word_put) == SYNC_WOKEN && changed == c->count)
        changed = t->sync_index;
    if (changed == c->count)
        return is_repeated(ret) ? make_again(c) : ret;
    err = store_result(c, changed, 1);
    return err < 0 ? err : 1;
}

/* Parks the thread, unless a word has changed or a signal is pending. */
static int64_t begin_sleep(struct sync_call *c, uint64_t deadline)
{
    struct thread *t = current();
    unsigned changed = c->count;
    int ret = sync_begin(t, c->sleeps);

    if (ret < 0)
        return ret;
    ret = queue_all(c);
    if (ret == 0)
        ret = find_changed(c, &changed);
    if (ret == 0 && atomic_load(&t->pending) != 0)
        ret = -TWZ_EINTR;
    if (ret != 0 || changed < c->count)
        return give_up_sleep(c, ret, changed);
    if (deadline != TWZ_FOREVER)
        sync_deadline(t, deadline);
    arch_call_rewind(&c->frame->regs, arch_call_number(&c->frame->regs));
    t->resume = finish_sleep;
    sched_park();
    return SYS_KEEP;
}

/* The call behind its wakes. */
static int64_t do_sleeps(struct sync_call *c, uint64_t deadline)
{
    bool late = deadline != TWZ_FOREVER && deadline <= arch_clock_ns();
    unsigned ready = 0;
    int ret = 0;

    if (c->sleeps == 0)
        return c->woken;
    /* A single sleep is compared once it is queued, and that decides. */
    if (c->sleeps > 1 || late)
        ret = compare_all(c, &ready);
    if (ret != 0)
        return is_repeated(ret) ? make_again(c) : ret;
    if (ready != 0)
        return ready;
    return late ? -TWZ_ETIMEDOUT : begin_sleep(c, deadline);
}

int64_t sys_thread_sync(struct arch_frame *frame, struct user_ops ops, uint64_t count,
                        uint64_t deadline)
{
    struct twz_sync op[TWZ_SYNC_MAX];
    struct sync_call c = {
        .frame = frame, .ops = USER_ADDR(ops), .op = op, .count = (unsigned)count
    };
    int64_t ret;

    if (count == 0 || count > TWZ_SYNC_MAX)
        return -TWZ_EINVAL;
    ret = user_copy_in(op, USER_ADDR(ops), count * sizeof(op[0]));
    if (ret == 0)
        ret = validate_ops(&c);
    if (ret < 0)
        return ret;
    load_progress(&c);
    ret = do_wakes(&c);
    if (ret == 0)
        ret = do_sleeps(&c, deadline);
    else if (ret == 1)
        ret = make_again(&c);
    if (c.continued && (ret != SYS_KEEP || current()->parked))
        progress_end();
    return ret;
}

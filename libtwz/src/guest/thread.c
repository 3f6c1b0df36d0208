/* SPDX-License-Identifier: MIT */
/*
 * Threads of this view. Each has two objects: its thread object, whose first page is mapped where
 * gs points, and its stack, tied to it. A stack lies right above its object's null page, so that
 * running over its end is a fault like any other. The thread object is tied to the view.
 */
#include "guest.h"

#define STACK_DEFAULT (1ull << 20)

static _Noreturn void thread_main(void (*fn)(void *arg), void *arg)
{
    fn(arg);
    twz_thread_exit(0);
}

static struct twz_thread *repr_of(const struct twz_thrd *thread)
{
    return twz_object_base(&thread->repr);
}

static void let_go(struct twz_thrd *thread)
{
    twz_object_release(&thread->stack);
    twz_object_delete(&thread->repr, TWZ_DELETE_DEFERRED);
    twz_object_release(&thread->repr);
}

static int make_objects(struct twz_thrd *thread)
{
    struct twz_create create = {
        .perms = TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL,
        .kind = TWZ_KIND_THREAD,
        .tie = view_id(),
    };
    int err = twz_object_create(&thread->repr, &create);

    if (err < 0)
        return err;
    create.kind = TWZ_KIND_DATA;
    create.tie = thread->repr.id;
    err = twz_object_create(&thread->stack, &create);
    if (err < 0)
        let_go(thread);
    return err;
}

int twz_thread_spawn(struct twz_thrd *thread, const struct twz_thrd_spawn *spawn)
{
    uint64_t size = spawn->stack_size ? spawn->stack_size : STACK_DEFAULT;
    struct twz_spawn args = {
        .view = view_id(),
        .entry = (uint64_t)(uintptr_t)thread_main,
        .arg = (uint64_t)(uintptr_t)spawn->fn,
        .arg2 = (uint64_t)(uintptr_t)spawn->arg,
        .fsbase = spawn->fsbase,
    };
    int err;

    if (size > TWZ_OBJ_DATA_MAX || !spawn->fn)
        return -TWZ_EINVAL;
    *thread = (struct twz_thrd){ 0 };
    err = make_objects(thread);
    if (err < 0)
        return err;
    thread->start = (uint64_t)(uintptr_t)repr_of(thread);
    repr_of(thread)->self = thread->start;
    args.thread = thread->repr.id;
    args.gsbase = thread->start;
    args.stack = (uint64_t)(uintptr_t)twz_object_base(&thread->stack) + (size & ~15ull) - 8;
    err = (int)twz_sys_thread_spawn(&args);
    if (err < 0)
        let_go(thread);
    return err < 0 ? err : 0;
}

int twz_thread_wait(struct twz_thrd *thread, uint64_t *code, struct twz_fault *fault)
{
    const struct twz_thread *repr = repr_of(thread);
    int by_fault;

    while (!__atomic_load_n(&repr->exit, __ATOMIC_ACQUIRE))
        (void)twz_sync_wait(&repr->exit, 0, TWZ_FOREVER);
    if (code)
        *code = repr->exit_code;
    by_fault = repr->exit_fault != 0;
    if (by_fault && fault)
        *fault = repr->fault;
    let_go(thread);
    return by_fault;
}

void twz_thread_ready(void)
{
    struct twz_thread *self = twz_thread_repr_base();

    __atomic_store_n(&self->ready, 1, __ATOMIC_RELEASE);
    (void)twz_sync_wake(&self->ready, UINT64_MAX);
}

int twz_thread_wait_ready(struct twz_thrd *thread)
{
    const struct twz_thread *repr = repr_of(thread);
    struct twz_sync ops[] = {
        { .addr = (uint64_t)(uintptr_t)&repr->ready, .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 },
        { .addr = (uint64_t)(uintptr_t)&repr->exit, .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 },
    };

    while (!__atomic_load_n(&repr->ready, __ATOMIC_ACQUIRE)) {
        if (__atomic_load_n(&repr->exit, __ATOMIC_ACQUIRE))
            return -TWZ_EDELETED;
        (void)twz_sys_thread_sync(ops, 2, TWZ_FOREVER);
    }
    return 0;
}

_Noreturn void twz_thread_exit(uint64_t code)
{
    for (;;)
        (void)twz_sys_thread_exit(code);
}

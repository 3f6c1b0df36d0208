/* SPDX-License-Identifier: MIT */
/*
 * Threads of this view. Each has two objects: its thread object, tied to the view, and its stack,
 * tied to the thread object. gs points to the first page of the thread object. A stack lies
 * directly above its object's null page, so a stack overflow is a fault.
 */
#include "guest.h"

#define STACK_DEFAULT (1ull << 20)

static _Noreturn void run_thread(void (*fn)(void *arg), void *arg)
{
    fn(arg);
    twz_thread_exit(0);
}

static struct twz_thread *repr_page(const struct twz_thrd *thread)
{
    return twz_object_base(&thread->repr);
}

/* The stack is tied to the thread object and deleted with it. */
static void release_objects(struct twz_thrd *thread)
{
    twz_object_release(&thread->stack);
    twz_object_delete(&thread->repr, TWZ_DELETE_DEFERRED);
    twz_object_release(&thread->repr);
}

static int create_objects(struct twz_thrd *thread)
{
    struct twz_create create = {
        .perms = twz_private_perms(),
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
        release_objects(thread);
    return err;
}

int twz_thread_spawn(struct twz_thrd *thread, const struct twz_thrd_spawn *spawn)
{
    uint64_t size = spawn->stack_size ? spawn->stack_size : STACK_DEFAULT;
    struct twz_spawn args = {
        .view = view_id(),
        .entry = (uint64_t)(uintptr_t)run_thread,
        .arg = (uint64_t)(uintptr_t)spawn->fn,
        .arg2 = (uint64_t)(uintptr_t)spawn->arg,
        .fsbase = spawn->fsbase,
    };
    int err;

    if (size > TWZ_OBJ_DATA_MAX || !spawn->fn)
        return -TWZ_EINVAL;
    *thread = (struct twz_thrd){ 0 };
    err = create_objects(thread);
    if (err < 0)
        return err;
    thread->start = (uint64_t)(uintptr_t)repr_page(thread);
    repr_page(thread)->self = thread->start;
    repr_page(thread)->view = twz_thread_repr_base()->view;
    repr_page(thread)->args = twz_thread_repr_base()->args;
    args.thread = thread->repr.id;
    args.gsbase = thread->start;
    args.stack = (uint64_t)(uintptr_t)twz_object_base(&thread->stack) + (size & ~15ull) - 8;
    err = (int)twz_sys_thread_spawn(&args);
    if (err < 0)
        release_objects(thread);
    return err < 0 ? err : 0;
}

int twz_thread_wait(struct twz_thrd *thread, uint64_t *code, struct twz_fault *fault)
{
    const struct twz_thread *repr = repr_page(thread);
    int by_fault;

    while (!__atomic_load_n(&repr->exit, __ATOMIC_ACQUIRE))
        (void)twz_sync_wait(&repr->exit, 0, TWZ_FOREVER);
    if (code)
        *code = repr->exit_code;
    by_fault = repr->exit_fault != 0;
    if (by_fault && fault)
        *fault = repr->fault;
    release_objects(thread);
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
    const struct twz_thread *repr = repr_page(thread);
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

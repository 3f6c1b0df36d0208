/* SPDX-License-Identifier: MIT */
/*
 * Threads and their objects: starting a thread on a THREAD object, and finding the thread that runs
 * on one.
 *
 * The caller of each function must hold no lock, unless its comment says otherwise. No function
 * blocks.
 */
#ifndef KERNEL_THREADOBJ_H
#define KERNEL_THREADOBJ_H

#include <kernel/object.h>
#include <kernel/thread.h>

struct thread_start {
    struct twz_regs regs; /* validated */
    struct context *context;
    struct account *account; /* that pays */
    unsigned priority;
    uint64_t cores;
};

/*
 * Starts a thread on a THREAD object in a view. The thread holds a reference on both. An
 * earlier thread may have ended on the object; the words of the user page are set anew. Errors:
 * -TWZ_ETYPE; -TWZ_EBUSY if a thread runs on the object; -TWZ_ENOMEM; -TWZ_EQUOTA; -TWZ_ENOSPC if a
 * page of a persistent object cannot be written.
 */
MUST_CHECK int threadobj_start(struct object *obj, struct object *view,
                               const struct thread_start *start);

/* Calls act with the thread that runs on obj. The thread cannot end meanwhile, because the thread
 * table's lock is held. Returns the result of act, -TWZ_ETYPE, or -TWZ_ENOOBJ if no thread runs on
 * obj. */
MUST_CHECK int threadobj_with(struct object *obj, int (*act)(struct thread *t, void *arg),
                              void *arg);

/* Returns true if a thread exists whose generation has that low half. */
bool threadobj_is_alive(uint32_t generation);

/* Moves a thread, which must be the running one, to another view and context. Errors: -TWZ_ETYPE,
 * -TWZ_ENOMEM. */
MUST_CHECK int threadobj_switch(struct thread *t, struct object *view, struct context *context);

/* The active security context of a thread, which must be the running one. The thread holds a
 * reference. */
static inline struct context *threadobj_context(const struct thread *t)
{
    return t->addrspace->context;
}

/* Writes the record of each thread on a persistent object. No core may run a thread any more. */
void threadobj_save_all(void);

/* When the thread on this object ends, the machine ends. */
void threadobj_set_init(struct object *obj);

/* Upcalls of the core (kernel/upcall.h). */
MUST_CHECK int threadobj_resolve_fault(struct thread *t, uint64_t addr, unsigned need,
                                       struct twz_fault *fault);
uint64_t threadobj_fault_entry(struct thread *t, unsigned kind);
bool threadobj_locate(struct thread *t, uint64_t addr, objid_t *object, uint64_t *off);
void threadobj_drop_progress(struct thread *t);
void threadobj_ended(struct thread *t, uint64_t code, const struct twz_fault *fault);

#endif

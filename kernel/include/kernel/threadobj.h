/* SPDX-License-Identifier: MIT */
/* Threads and their objects: what a THREAD object holds, finding the thread that runs on one. */
#ifndef KERNEL_THREADOBJ_H
#define KERNEL_THREADOBJ_H

#include <kernel/object.h>
#include <kernel/thread.h>

struct thread_start {
    struct twz_regs regs; /* validated */
    objid_t sctx;
    unsigned priority;
    uint64_t cores;
};

/*
 * Starts a thread on a volatile THREAD object in a view; a reference on each is taken. The object
 * may have been a thread before: its words start again. -TWZ_ETYPE, -TWZ_EBUSY a thread runs on it,
 * -TWZ_ENOMEM, -TWZ_ENOTSUP persistent thread objects.
 */
MUST_CHECK int threadobj_start(struct object *obj, struct object *view,
                               const struct thread_start *start);

/* Calls act with the thread that runs on obj, which cannot end meanwhile. -TWZ_ENOOBJ: none. */
MUST_CHECK int threadobj_with(struct object *obj, int (*act)(struct thread *t, void *arg),
                              void *arg);

/* 1: a thread of that generation (low half) lives. */
int threadobj_alive(uint32_t generation);

/* The running thread goes on in another view. */
MUST_CHECK int threadobj_move(struct thread *t, struct object *view);

/* How many threads there are. */
uint64_t threadobj_count(void);

/* The end of this thread ends the machine; said in the log. */
void threadobj_set_init(struct object *obj);

/* Upcalls of the core (kernel/upcall.h). */
MUST_CHECK int threadobj_resolve_fault(struct thread *t, uint64_t addr, unsigned need,
                                       struct twz_fault *fault);
uint64_t threadobj_fault_entry(struct thread *t, unsigned kind);
bool threadobj_locate(struct thread *t, uint64_t addr, objid_t *object, uint64_t *off);
void threadobj_drop_progress(struct thread *t);
void threadobj_ended(struct thread *t);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Upcalls: everything that a module of the kernel calls in a module above it. The table is constant
 * and complete when the kernel is linked (init/upcall.c). A module must not register a function
 * with a module below it in any other way; interrupt handlers and the drivers of DEVICE objects
 * may.
 *
 * Each upcall runs on the core that makes it, interrupts off. "Long": the function works in bounded
 * batches with preemption points between them, so the caller must hold no lock.
 */
#ifndef KERNEL_UPCALL_H
#define KERNEL_UPCALL_H

#include <kernel/types.h>

struct context;
struct object;
struct subtree;
struct thread;
struct twz_fault;
struct decision;

struct upcall {
    /* --- from mm ------------------------------------------------------------------------------ */

    /* Drops what may be the last reference on a subtree; the object behind it is then cached or
     * freed. The caller must hold no lock. Long. */
    void (*release_subtree)(struct subtree *tree);

    /* --- from core: the running thread -------------------------------------------------------- */

    /* Resolves a touch of addr by t that needs one of TWZ_READ, TWZ_WRITE, TWZ_EXEC. 0: the thread
     * may touch it again; an error: *fault says why not (all fields but ip), unless thread->retry
     * is set. The caller must hold no lock. Bounded; allocates. */
    int (*resolve_fault)(struct thread *t, uint64_t addr, unsigned need, struct twz_fault *fault);

    /* The entry point that t's view names for this kind of fault; 0: none. The caller must hold no
     * lock. */
    uint64_t (*fault_entry)(struct thread *t, unsigned kind);

    /* The object mapped at addr and the offset in it, for messages. False: nothing is mapped there,
     * and *object is unchanged. The caller must hold no lock. */
    bool (*locate)(struct thread *t, uint64_t addr, objid_t *object, uint64_t *off);

    /* Deletes what an unfinished long call of t has made. t must be the running thread. The caller
     * must hold no lock. Long. */
    void (*drop_progress)(struct thread *t);

    /* t has ended, by `fault` unless that is NULL: writes its exit record, sets its exit word,
     * wakes those that wait for it and drops its address space and object. The core frees t
     * afterwards, so no other core may find it when the upcall returns. The caller must hold no
     * lock. Long. */
    void (*thread_ended)(struct thread *t, uint64_t code, const struct twz_fault *fault);

    /* The innermost gate call of t has ended by a fault: t continues in its caller, with an error.
     * t must be the running thread, and have a gate call in progress. The caller must hold no lock,
     * and must return to kernel_exit. Long. */
    void (*gate_failed)(struct thread *t);

    /* --- from core: this core ----------------------------------------------------------------- */

    /* The core has no thread to run: does one bounded batch of work ahead of need. False: there is
     * none, and the core may halt. The caller must hold no lock. */
    bool (*idle_work)(void);

    /* Does the work that sched_defer_work asked for, one bounded batch of each kind, on the way out
     * of the kernel. Opens an interrupt window after each. The caller must hold no lock. */
    void (*deferred_work)(void);

    /* The machine reported an uncorrectable memory error at addr. Called from an interrupt with no
     * lock held. Lists the frame, and begins the search for the objects that map it. Allocates. */
    void (*media_error)(phys_t addr);

    /* --- from obj and kso --------------------------------------------------------------------- */

    /* obj, a SERVICE object, was deleted: it can be called no more. The caller must hold no lock.
     */
    void (*service_deleted)(struct object *obj);

    /* The access decision (kernel/sec.h). The caller must hold no lock. */
    int (*decide_access)(struct context *context, struct object *obj, struct decision *decision);

    /* --- from obj ----------------------------------------------------------------------------- */

    /* An object was deleted: its grants end, and those of a context. obj is NULL if it is not in
     * core. The caller must hold no lock. */
    void (*object_deleted)(objid_t id, struct object *obj);

    /* --- from sys ----------------------------------------------------------------------------- */

    /* The orderly end of the machine (kernel/start.h). The caller must hold no lock. Long. */
    NORETURN void (*shutdown)(bool reboot);
};

extern const struct upcall upcall;

#endif

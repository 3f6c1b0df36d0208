/* SPDX-License-Identifier: MIT */
/*
 * Faults in user code. A fault of the calling thread meets, in this order:
 *   1. the innermost twz_catch of the thread: its frames are left behind, the catch returns 1;
 *   2. the handler registered for the kind in this view: it mends the cause and returns 1 (the
 *      instruction runs again), or returns 0;
 *   3. whoever held the view's entry before (two copies of this library may share a view);
 *   4. nobody: the thread ends, its fault record stays in its thread object.
 * Handlers run on the thread's alternate stack where it has one. They may call anything that is
 * safe at the place of the fault.
 */
#ifndef TWZ_FAULTS_H
#define TWZ_FAULTS_H

#include <twz/fault.h>
#include <twz/obj.h>

/* --- catch ---------------------------------------------------------------------------------
 *
 *     struct twz_catch c;
 *     if (!twz_catch(&c)) {
 *         touch(p);
 *         twz_catch_end(&c);
 *     } else {
 *         ... c.fault says what happened; the catch is gone already ...
 *     }
 *
 * Catches nest and belong to their thread; leave none open when the function returns. As with
 * setjmp, locals changed in between and read in the else part must be volatile.
 */
struct twz_catch {
    uint64_t regs[8]; /* rbx rbp r12 r13 r14 r15 rsp rip */
    struct twz_catch *outer;
    struct twz_fault fault;
};

__attribute__((returns_twice)) int twz_catch(struct twz_catch *c);
void twz_catch_end(struct twz_catch *c);

/* fn(arg) under a catch: 0, or 1 with *fault filled in. */
int twz_try(void (*fn)(void *arg), void *arg, struct twz_fault *fault);

/* --- handlers ------------------------------------------------------------------------------ */

/* 1: go on at frame->regs, which it may have changed. 0: not mine. */
typedef int (*twz_fault_handler)(struct twz_fault_frame *frame);

/* Register for a kind in this view; NULL takes it back. kind < TWZ_FAULT_KINDS. */
TWZ_CHECKED int twz_fault_set(uint32_t kind, twz_fault_handler handler);

/* Raise a fault from software, as if the processor had: POINTER faults come this way. Comes back
 * only if a handler says 1. `fault` is copied; its ip is filled in where 0. */
void twz_fault_raise(const struct twz_fault *fault);

/* A stack for this thread's faults (a stack overflow cannot be told otherwise). */
void twz_fault_stack(void *low, uint64_t len);

/* --- text ----------------------------------------------------------------------------------
 * What, where, which object (and its name, where it has one), rights needed and held, as one line
 * without its newline. Always ends with a NUL; the number of bytes before it. */
size_t twz_fault_print(const struct twz_fault *fault, char *text, size_t len);

/* The signal number that a POSIX program would have died of. */
int twz_fault_signal(const struct twz_fault *fault);

#endif

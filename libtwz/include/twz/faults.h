/* SPDX-License-Identifier: MIT */
/*
 * Faults in user code. A fault of the calling thread goes to the first of these that takes it:
 *   1. the thread's innermost twz_catch: its callees are left, and the catch returns 1;
 *   2. this view's handler for the kind: it repairs the cause and returns 1, and the instruction
 *      runs again; or it returns 0;
 *   3. the entry that the view had before, since two copies of this library may share a view;
 *   4. the kernel: the thread ends, and the fault stays in its thread object.
 * A handler runs on the thread's alternate stack, if there is one. It may call only functions that
 * are safe at the point of the fault.
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
 *         ... c.fault is the fault; the catch has ended ...
 *     }
 *
 * Catches nest and belong to their thread. A function must end its catch before it returns. As with
 * setjmp, a local that changes in between and is read in the else part must be volatile.
 */
struct twz_catch {
    uint64_t regs[8]; /* rbx rbp r12 r13 r14 r15 rsp rip */
    struct twz_catch *outer;
    struct twz_fault fault;
};

__attribute__((returns_twice)) int twz_catch(struct twz_catch *c);
void twz_catch_end(struct twz_catch *c);

/* Call fn(arg) under a catch: 0, or 1 with *fault filled in. */
int twz_try(void (*fn)(void *arg), void *arg, struct twz_fault *fault);

/* --- handlers ------------------------------------------------------------------------------ */

/* 1: continue at frame->regs, which the handler may change. 0: the handler does not take it. */
typedef int (*twz_fault_handler)(struct twz_fault_frame *frame);

/* Register a handler for a kind in this view; NULL: none. -TWZ_ERANGE. */
TWZ_CHECKED int twz_fault_set(uint32_t kind, twz_fault_handler handler);

/* Raise a fault from software, as if the processor had raised it; POINTER faults are raised here.
 * Returns only if a handler returns 1. `fault` is copied; an ip of 0 becomes the caller's. */
void twz_fault_raise(const struct twz_fault *fault);

/* Give this thread a stack for its handlers, from `low` up. Without one, a stack overflow cannot be
 * handled. */
void twz_fault_stack(void *low, uint64_t len);

/* --- text ---------------------------------------------------------------------------------- The
 * fault as one line without a newline: its kind and reason, the address, the object and its name,
 * the rights needed and held. Always ends with a NUL; the result is the number of bytes before it.
 * */
size_t twz_fault_print(const struct twz_fault *fault, char *text, size_t len);

/* The signal number that POSIX gives such a fault. */
int twz_fault_signal(const struct twz_fault *fault);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Faults in user code. The library offers a fault to these, in this order, until one takes it:
 *   1. The innermost twz_catch of the thread. The thread returns from twz_catch with 1.
 *   2. The handler of this view for the kind of fault. It returns 1 if it has repaired the cause;
 *      the instruction then runs again. It returns 0 if it does not take the fault.
 *   3. The entry that the view had before this copy of the library. Two copies may share a view.
 *   4. The kernel. It ends the thread and records the fault in the thread object.
 * A handler runs on the fault stack of the thread, if there is one. A handler must call only
 * functions that are safe at the faulting instruction.
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
 * Catches may nest. Each belongs to the thread that called twz_catch. A function must end its catch
 * before it returns. A local variable that changes after twz_catch and is read in the else part
 * must be volatile, as with setjmp.
 */
struct twz_catch {
    uint64_t regs[8]; /* rbx rbp r12 r13 r14 r15 rsp rip */
    struct twz_catch *outer;
    struct twz_fault fault;
};

__attribute__((returns_twice)) int twz_catch(struct twz_catch *c);
void twz_catch_end(struct twz_catch *c);

/* Call fn(arg) with a catch. Returns 0, or 1 if a fault ended fn, with the fault in *fault. */
int twz_try(void (*fn)(void *arg), void *arg, struct twz_fault *fault);

/* --- handlers ------------------------------------------------------------------------------ */

/* Returns 1 if the thread must continue with frame->regs, which the handler may change. Returns 0
 * if the handler does not take the fault. */
typedef int (*twz_fault_handler)(struct twz_fault_frame *frame);

/* Set the handler of this view for a kind of fault; NULL removes it. -TWZ_ERANGE if there is no
 * such kind. */
TWZ_CHECKED int twz_fault_set(uint32_t kind, twz_fault_handler handler);

/* Raise a fault as if the processor had raised it. The library raises POINTER faults this way. The
 * function copies `fault`; if its ip is 0, ip becomes the address behind the call. It returns only
 * if a handler returns 1. */
void twz_fault_raise(const struct twz_fault *fault);

/* Set the fault stack of the calling thread in this view: `len` bytes from `low` up; NULL and 0: it
 * takes faults on its own stack, and cannot handle its stack overflow. -TWZ_EINVAL if the fault
 * stack is not in user memory. */
TWZ_CHECKED int twz_fault_stack(void *low, uint64_t len);

/* --- text ---------------------------------------------------------------------------------- */

/* Write a fault as one line without a newline: kind, reason, address, the object and its name,
 * the rights needed and held. The text always ends with a NUL. Returns the number of bytes
 * before it. */
size_t twz_fault_print(const struct twz_fault *fault, char *text, size_t len);

/* Returns the number of the POSIX signal for such a fault. */
int twz_fault_signal(const struct twz_fault *fault);

#endif

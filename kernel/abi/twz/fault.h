/* SPDX-License-Identifier: MIT */
/*
 * Faults are delivered to user code. The view names one entry point for each kind (twz/view.h). The
 * kernel writes a struct twz_fault_frame, puts its address into rdi and jumps to the entry point.
 * The handler continues with fault_return(frame), which loads frame->regs, or never returns. A
 * fault without a handler ends the thread, and stands in the thread's KSO and in the log. A fault
 * whose frame cannot be written is a double fault, which ends the thread.
 *
 * The kernel holds the location of the frames for each thread in its view. No word of user memory
 * holds it, so code in one view cannot choose an address in another one.
 *   - A new thread takes faults below the red zone of its own stack.
 *   - thread_ctl(TWZ_THREAD_FAULT_STACK) names a fault stack in the caller's view. A fault while
 *     the stack pointer is in the fault stack goes below it, so handlers may nest. A frame that
 *     does not fit into the fault stack is a double fault.
 *   - thread_become into another view carries the location in that view, or none. With none, a
 *     fault that has a handler is a double fault until code of the new view names a location: the
 *     stack pointer comes from the view that was left.
 *
 * While a SIGNAL handler runs, the thread's other signals wait: the kernel masks them, and
 * fault_return restores the mask that the frame carries (thread_ctl, TWZ_THREAD_MASK).
 */
#ifndef TWZ_FAULT_H
#define TWZ_FAULT_H

#include <twz/arch/regs.h>
#include <twz/signal.h>
#include <twz/types.h>

/* twz_fault.kind: TWZ_FAULT_NULL and so on, from fault.def. */
enum twz_fault_kind {
#define TWZ_FAULT_KIND(name, number, signal, text) TWZ_FAULT_##name = number,
#include <twz/fault.def>
#undef TWZ_FAULT_KIND
    TWZ_FAULT_KINDS
};

/* twz_fault.reason: TWZ_REASON_NONE and so on, from fault.def. */
enum twz_fault_reason {
#define TWZ_FAULT_REASON(name, number, text) TWZ_REASON_##name = number,
#include <twz/fault.def>
#undef TWZ_FAULT_REASON
    TWZ_REASONS
};

struct twz_fault {
    uint32_t kind;   /* TWZ_FAULT_* */
    uint32_t reason; /* TWZ_REASON_* */
    uint32_t need;   /* rights that the access needs */
    uint32_t have;   /* rights that are held there */
    uint64_t addr;   /* the address accessed; SIGNAL: the signal's number */
    uint64_t ip;     /* the instruction that faulted, or the next one (SIGNAL, CALL) */
    objid_t object;  /* the object at addr; 0: none */
    uint64_t code;   /* EXCEPTION: vector << 32 | error code; SIGNAL: value; CALL: number */
    uint64_t sp;     /* the stack pointer at ip; 0: not known */
};
_Static_assert(sizeof(struct twz_fault) == 64, "fault size");

struct twz_fault_frame {
    struct twz_fault fault;
    struct twz_regs regs; /* where fault_return continues; the handler may change them */
    uint64_t xsave;       /* address of the XSAVE image on the same stack; 0: none */
    uint64_t xsave_size;  /* bytes of that image */
    uint64_t flags;       /* TWZ_FRAME_* */
    uint64_t mask;        /* with TWZ_FRAME_MASK: the signal mask after fault_return */
};
_Static_assert(sizeof(struct twz_fault_frame) == 256, "fault frame size");

#define TWZ_FRAME_MASK 1ull

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Faults are delivered to user code. The view names one entry point for each kind (twz/view.h). The
 * kernel writes a struct twz_fault_frame on the thread's alternate stack (twz/thread.h), or below
 * the red zone of its own stack where none is set. It puts the frame's address into rdi and jumps
 * to the entry point. The handler continues with fault_return(frame), which loads frame->regs, or
 * never returns. A fault without a handler ends the thread, and stands in the thread's KSO and in
 * the log. A fault whose frame cannot be written is a double fault, which ends the thread.
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
    uint64_t pad;    /* 0 */
};
_Static_assert(sizeof(struct twz_fault) == 64, "fault size");

struct twz_fault_frame {
    struct twz_fault fault;
    struct twz_regs regs; /* where fault_return continues; the handler may change them */
    uint64_t xsave;       /* address of the XSAVE image on the same stack; 0: none */
    uint64_t xsave_size;  /* bytes of that image */
};
_Static_assert(sizeof(struct twz_fault_frame) == 240, "fault frame size");

#endif

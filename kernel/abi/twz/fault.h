/* SPDX-License-Identifier: MIT */
/*
 * Faults go up to user code. The view names one entry point for each kind (twz/view.h); the kernel
 * writes a struct twz_fault_frame on the thread's alternate stack (twz/thread.h), or below the red
 * zone of its own stack where none is set, puts the frame's address into rdi and jumps. The
 * handler goes on with fault_return(frame), which loads frame->regs, or leaves for good. A fault
 * with no handler ends the thread and leaves its twz_fault in the thread's KSO and in the log.
 * A fault that cannot be delivered (no room, bad stack) is a double fault: it ends the thread.
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
    uint32_t need;   /* rights the access needed */
    uint32_t have;   /* rights held there */
    uint64_t addr;   /* address touched (SIGNAL: signal number) */
    uint64_t ip;
    objid_t object; /* object at addr, 0 if none */
    uint64_t code;  /* EXCEPTION: vector << 32 | error code; SIGNAL: value; CALL: number */
    uint64_t pad;
};
_Static_assert(sizeof(struct twz_fault) == 64, "fault size");

struct twz_fault_frame {
    struct twz_fault fault;
    struct twz_regs regs;
    uint64_t xsave;      /* address of the XSAVE image on the same stack, 0: none */
    uint64_t xsave_size; /* bytes */
};
_Static_assert(sizeof(struct twz_fault_frame) == 240, "fault frame size");

#endif

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
#include <twz/types.h>

#define TWZ_FAULT_NULL      0u /* address in an object's null page, or in slot 0 */
#define TWZ_FAULT_OBJECT    1u /* no object there: empty slot, deleted, damaged, mismatched ID */
#define TWZ_FAULT_PERM      2u /* rights needed are not held */
#define TWZ_FAULT_POINTER   3u /* raised by libtwz: a persistent pointer that does not resolve */
#define TWZ_FAULT_EXCEPTION 4u /* the processor's: divide, invalid opcode, breakpoint ... */
#define TWZ_FAULT_PAGE      5u /* no memory behind it: hole, poison, pool or memory full */
#define TWZ_FAULT_SIGNAL    6u /* thread_signal */
#define TWZ_FAULT_DOUBLE    7u
#define TWZ_FAULT_CALL      8u /* a call number of another system; regs tell the rest */
#define TWZ_FAULT_RESUMED   9u /* reserved: the thread went on after a power cut */
#define TWZ_FAULT_KINDS     10u

/* twz_fault.reason, finer than the kind. */
#define TWZ_REASON_NONE     0u
#define TWZ_REASON_EMPTY    1u /* OBJECT: nothing in the slot */
#define TWZ_REASON_NOOBJ    2u /* OBJECT: no object of that ID */
#define TWZ_REASON_DELETED  3u
#define TWZ_REASON_DAMAGED  4u
#define TWZ_REASON_MISMATCH 5u /* ID does not follow from its record */
#define TWZ_REASON_HOLE     6u /* PAGE */
#define TWZ_REASON_POISON   7u
#define TWZ_REASON_NOSPC    8u
#define TWZ_REASON_NOMEM    9u
#define TWZ_REASON_WX       10u /* PERM: write and execute together */
#define TWZ_REASON_KERNEL   11u /* PERM: kernel-only page or address */
#define TWZ_REASON_FOT      12u /* POINTER: bad or free FOT entry */
#define TWZ_REASON_OFFSET   13u /* POINTER: offset outside the data */
#define TWZ_REASON_NAME     14u /* POINTER: unresolved name */
#define TWZ_REASON_NULLPTR  15u /* POINTER: null persistent pointer */

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

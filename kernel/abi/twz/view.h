/* SPDX-License-Identifier: MIT */
/*
 * A view is an object of kind TWZ_KIND_VIEW: its table maps 2^17 slots of 1 GiB to objects. The
 * kernel reads an entry when a thread faults on its slot; after changing an entry that was valid,
 * call kso_invalidate(view, first slot, count). To write an entry: flags = 0, then id, then flags.
 */
#ifndef TWZ_VIEW_H
#define TWZ_VIEW_H

#include <twz/fault.h>
#include <twz/object.h>

#define TWZ_SLOTS (1u << 17)

#define TWZ_VE_VALID 0x100ull
/* User code's: the slot is being given out (CAS of flags from 0), not valid yet. Several libraries
 * that share a view allocate slots this way. */
#define TWZ_VE_TAKEN 0x200ull
/* the low bits of flags are TWZ_READ | TWZ_WRITE | TWZ_EXEC; WRITE and EXEC together is refused */

struct twz_view_entry {
    objid_t id;
    uint64_t flags;
    uint64_t pad;
};
_Static_assert(sizeof(struct twz_view_entry) == 32, "view entry size");

/* At the view object's base. */
#define TWZ_VIEW_MAGIC 0x3177656976777a74ull
struct twz_view {
    uint64_t magic;
    uint64_t flags;                        /* 0; bit 0 reserved: "may be newer than me" */
    uint64_t fault_entry[TWZ_FAULT_KINDS]; /* view address of the handler, 0: none */
    uint64_t reserved[4];
};
#define TWZ_VIEW_TABLE (2ull << 20) /* offset of struct twz_view_entry[TWZ_SLOTS] in the object */

/* Slots with a meaning of their own in every view that libtwz makes. */
#define TWZ_SLOT_NONE    0u /* never mapped, so that small addresses fault */
#define TWZ_SLOT_TEXT    1u /* the program, mapped in place */
#define TWZ_SLOT_DATA    2u /* its writable data; link-time distance to TEXT: 1 GiB */
#define TWZ_SLOT_RT_TEXT 3u /* the runtime (libtwix) */
#define TWZ_SLOT_RT_DATA 4u
#define TWZ_SLOT_VIEW    5u /* the view itself, read-write */
#define TWZ_SLOT_THREAD  6u /* the first thread's KSO */
/* 7 stays free */
#define TWZ_SLOT_SYSTEM  8u  /* system facts (twz/kso.h), read-only */
#define TWZ_SLOT_CONSOLE 9u  /* the host console device (twz/device.h) */
#define TWZ_SLOT_ARGS    10u /* what the spawner hands over */
#define TWZ_SLOT_ROOT    11u /* root of the namespace */
/* 12 stays empty: what runs off the stack's end, however far, meets a fault and no object */
#define TWZ_SLOT_STACK 13u /* the first thread's stack */
#define TWZ_SLOT_FIRST 64u /* first slot that libtwz hands out */

#define TWZ_SLOT_ADDR(slot) ((uint64_t)(slot) << TWZ_OBJ_SHIFT)

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A view is an object of kind TWZ_KIND_VIEW: its table maps 2^17 slots of 1 GiB to objects. The
 * kernel reads an entry when a thread faults on its slot. An entry must be written in the order
 * flags = 0, id, flags. After a change of a valid entry the writer must call kso_invalidate(view,
 * first slot, count).
 */
#ifndef TWZ_VIEW_H
#define TWZ_VIEW_H

#include <twz/fault.h>
#include <twz/object.h>

#define TWZ_SLOTS (1u << 17)

#define TWZ_VE_VALID 0x100ull
/* For user code: the slot is allocated, but not valid yet. Several libraries that share a view
 * allocate slots by a compare-exchange of flags from 0 to this. */
#define TWZ_VE_TAKEN 0x200ull
/* The low bits of flags are TWZ_READ | TWZ_WRITE | TWZ_EXEC. A touch through a valid entry is a
 * fault if the entry has WRITE and EXEC together, another flag, or a `pad` that is not 0. */
#define TWZ_VE_KNOWN (TWZ_VE_VALID | TWZ_VE_TAKEN | TWZ_READ | TWZ_WRITE | TWZ_EXEC)

struct twz_view_entry {
    objid_t id;     /* the object that the slot maps */
    uint64_t flags; /* TWZ_VE_* and the rights */
    uint64_t pad;   /* 0 */
};
_Static_assert(sizeof(struct twz_view_entry) == 32, "view entry size");

/* At the view object's base. */
#define TWZ_VIEW_MAGIC 0x3177656976777a74ull
struct twz_view {
    uint64_t magic;                        /* TWZ_VIEW_MAGIC */
    uint64_t flags;                        /* 0; bit 0 reserved: "may be newer than me" */
    uint64_t fault_entry[TWZ_FAULT_KINDS]; /* view address of the kind's handler; 0: none */
    uint64_t reserved[4];                  /* 0 */
};
#define TWZ_VIEW_TABLE (2ull << 20) /* offset of struct twz_view_entry[TWZ_SLOTS] in the object */

/*
 * Slots with a fixed meaning in every view. A program's loader and its libraries choose all others
 * at random, from TWZ_SLOT_RANDOM on, in windows of TWZ_SLOT_WINDOW slots. A program must find its
 * view and its arguments through its thread's page (twz/thread.h), and the rest through the
 * arguments (libtwz's twz/program.h). The slots between the fixed ones and TWZ_SLOT_RANDOM are the
 * program's own: nothing else uses them.
 */
#define TWZ_SLOT_NONE    0u /* never mapped, so that small addresses fault */
#define TWZ_SLOT_CONTROL 7u /* the first program's control port (twz/device.h); else free */
#define TWZ_SLOT_SYSTEM  8u /* the system information page (twz/kso.h), read-only */
#define TWZ_SLOT_CONSOLE 9u /* the host console device (twz/device.h) */

#define TWZ_SLOT_RANDOM 16384u /* the first slot that a loader may choose; a multiple of a window */
#define TWZ_SLOT_WINDOW 128u   /* slots whose entries lie in one page of the view */

#define TWZ_SLOT_ADDR(slot) ((uint64_t)(slot) << TWZ_OBJ_SHIFT)

#endif

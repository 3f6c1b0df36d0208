/* SPDX-License-Identifier: MIT */
/*
 * Kernel state objects: objects with a layout the kernel understands. The root KSO and directories
 * hold tables of children, so that any tool can walk the running system from the root.
 */
#ifndef TWZ_KSO_H
#define TWZ_KSO_H

#include <twz/object.h>

#define TWZ_KSO_MAGIC 0x316f736b2d7a7774ull
#define TWZ_KSO_NAME  32u

struct twz_kso_child {
    objid_t id;
    uint32_t kind; /* TWZ_KIND_*; 0 with a zero id: free */
    uint32_t index;
    uint64_t flags;
};
_Static_assert(sizeof(struct twz_kso_child) == 32, "kso child size");

/* At the base of root and directory KSOs. */
struct twz_kso_dir {
    uint64_t magic;
    uint32_t kind;
    uint32_t count; /* slots in use or once used: children[0 .. count) */
    uint8_t name[TWZ_KSO_NAME];
    struct twz_kso_child child[];
};
#define TWZ_KSO_MAX_CHILDREN 4096u

/*
 * System facts, at the base of the system object; mapped read-only in TWZ_SLOT_SYSTEM.
 * Clock: ns = clock_offset + ((tsc * clock_mult) >> clock_shift), 128-bit product; monotonic.
 * Wall clock = monotonic + wall_offset. Read clock_seq (even), the four, clock_seq again.
 */
#define TWZ_SYSTEM_MAGIC 0x317379732d7a7774ull
struct twz_system {
    uint64_t magic;
    uint64_t version;
    uint64_t clock_seq;
    uint64_t clock_mult;
    uint64_t clock_shift;
    int64_t clock_offset;
    int64_t wall_offset; /* ns since 1970 at monotonic 0 */
    uint64_t cores;
    uint64_t memory;      /* bytes of DRAM */
    uint64_t memory_free; /* bytes; obj_stat on this object brings both free figures up to date */
    uint64_t pool_size;   /* bytes; 0: no pool */
    uint64_t pool_free;   /* bytes */
    uint8_t pool_uuid[16];
    objid_t kso_root;
    objid_t names_root; /* root directory of the namespace */
    objid_t console;    /* host console device */
    objid_t init;       /* program the kernel started */
    uint64_t resume_count;
    uint64_t persist_kind;   /* 0 clflush, 1 clflushopt, 2 clwb: what libtwz may use */
    uint64_t persist_traced; /* 1: load the line before each flush (tracer runs) */
    uint64_t xsave_size;
    uint8_t kernel_hash[32]; /* BLAKE2b-256 of the kernel's text */
};

#endif

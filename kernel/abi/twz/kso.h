/* SPDX-License-Identifier: MIT */
/*
 * Kernel state objects (KSO): objects whose layout the kernel understands. The root KSO and
 * directories hold tables of children, so that any tool can walk the running system from the root.
 */
#ifndef TWZ_KSO_H
#define TWZ_KSO_H

#include <twz/object.h>

#define TWZ_KSO_MAGIC 0x316f736b2d7a7774ull
#define TWZ_KSO_NAME  32u

struct twz_kso_child {
    objid_t id;     /* the child; 0: the entry is free */
    uint32_t kind;  /* TWZ_KIND_* of the child */
    uint32_t index; /* of this entry */
    uint64_t flags; /* TWZ_KSO_CHILD_* */
};
_Static_assert(sizeof(struct twz_kso_child) == 32, "kso child size");

/* In the root KSO: the kernel has entered the child, and kso_detach refuses it. */
#define TWZ_KSO_CHILD_FIXED 1ull

/* At the base of root and directory KSOs. */
struct twz_kso_dir {
    uint64_t magic;               /* TWZ_KSO_MAGIC */
    uint32_t kind;                /* TWZ_KIND_* of the directory itself */
    uint32_t count;               /* entries that are or were in use: child[0 .. count) */
    uint8_t name[TWZ_KSO_NAME];   /* for people; ends with a zero byte */
    struct twz_kso_child child[]; /* the table */
};
#define TWZ_KSO_MAX_CHILDREN 4096u

/*
 * At the base of an ACCOUNT object. An account pays for what is created under it: its ID stands in
 * each object's record. A child account has a part of its parent's limits. Creating under an
 * account needs USE on it. Limits and use are fields of the kernel; today the kernel neither
 * charges nor limits, and both are 0.
 */
#define TWZ_ACCOUNT_MAGIC 0x316363612d7a7774ull
enum twz_account_of {
    TWZ_ACCOUNT_DRAM,     /* bytes of DRAM */
    TWZ_ACCOUNT_POOL,     /* bytes of the pool */
    TWZ_ACCOUNT_THREADS,  /* threads */
    TWZ_ACCOUNT_KERNEL,   /* bytes of kernel memory */
    TWZ_ACCOUNT_COUNT = 8 /* the rest is reserved */
};
struct twz_account {
    uint64_t magic;                    /* TWZ_ACCOUNT_MAGIC */
    uint64_t flags;                    /* 0 */
    objid_t parent;                    /* 0: the pool's own account */
    uint64_t limit[TWZ_ACCOUNT_COUNT]; /* by enum twz_account_of; 0: the parent's limit */
    uint64_t use[TWZ_ACCOUNT_COUNT];   /* the same */
};
_Static_assert(sizeof(struct twz_account) == 160, "account size");

/*
 * The system information page, at the base of the system object; mapped read-only in
 * TWZ_SLOT_SYSTEM. The monotonic clock continues over the boots of a pool:
 *
 *   ns = clock_offset + ((tsc * clock_mult) >> clock_shift), with a 128-bit product
 *
 * The wall clock is that plus wall_offset. A reader must read clock_seq until it is even, then the
 * four fields, then clock_seq again, and repeat if it has changed.
 */
#define TWZ_SYSTEM_MAGIC   0x317379732d7a7774ull
#define TWZ_SYSTEM_VERSION 2u
struct twz_system {
    uint64_t magic;          /* TWZ_SYSTEM_MAGIC */
    uint64_t version;        /* of this layout */
    uint64_t clock_seq;      /* odd while the kernel changes the next four */
    uint64_t clock_mult;     /* see above */
    uint64_t clock_shift;    /* see above */
    int64_t clock_offset;    /* ns */
    int64_t wall_offset;     /* ns since 1970 at monotonic 0; may be negative */
    uint64_t cores;          /* cores that run */
    uint64_t memory;         /* bytes of DRAM */
    uint64_t memory_free;    /* bytes; obj_stat on this object updates both free figures and the
                              * last four fields */
    uint64_t pool_size;      /* bytes; 0: there is no pool */
    uint64_t pool_free;      /* bytes */
    uint8_t pool_uuid[16];   /* of the pool */
    objid_t kso_root;        /* the root KSO */
    objid_t names_root;      /* root directory of the namespace */
    objid_t console;         /* the host console device */
    objid_t init;            /* the program that the kernel started */
    uint64_t resume_count;   /* boots of this pool */
    uint64_t persist_kind;   /* how libtwz flushes a line: 0 clflush, 1 clflushopt, 2 clwb */
    uint64_t persist_traced; /* 1: load the line before each flush (tracer runs) */
    uint64_t xsave_size;     /* bytes of the XSAVE image of a thread */
    uint8_t kernel_hash[32]; /* BLAKE2b-256 of the kernel's text */
    uint64_t kernel_memory;  /* bytes of DRAM that the kernel's small allocations hold */
    uint64_t objects;        /* in-core objects, cached ones included */
    uint64_t threads;        /* threads that have not ended */
    uint64_t kernel_used;    /* bytes of kernel_memory in use; the rest is free for allocations */
};

#endif

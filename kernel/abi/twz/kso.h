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
 * At the base of an ACCOUNT object, whose page only the kernel writes. An account pays for what is
 * created under it: objects with their pages and page tables, the address spaces of a view, and the
 * threads that are spawned under it. Its ID stands in each object's record. An ACCOUNT object is a
 * child of the account that pays for it, at most 8 deep. A charge counts in the account and in all
 * those above it, so a limit holds for the account with all those below it. The limits of children
 * may add up to more than the parent's.
 *
 * Creating under an account, or spawning a thread in it, needs USE on it. WRITE sets limits
 * (TWZ_CTL_LIMIT). obj_stat on the account brings limits and uses on the page up to date. A call
 * that would exceed a limit fails with QUOTA; a page fault then has the reason QUOTA. A limit may
 * be set below the present use. A frame that objects share is charged to the account that had it
 * first. A deleted account keeps its charges until they are taken back.
 *
 * Persistent objects are charged to the nearest persistent account, for each page with a frame,
 * shared ones too, for their nodes, and for themselves 4.5 KiB. The uses are counted anew at boot.
 * A persistent account is not deleted while objects of the pool are charged to it (BUSY), and is
 * not charged while it is provisional (INVAL). No account can be tied. An object may be deleted
 * without DEL on it by a caller with WRITE on an account that it is charged to.
 */
#define TWZ_ACCOUNT_MAGIC 0x316363612d7a7774ull
enum twz_account_of {
    TWZ_ACCOUNT_DRAM,     /* bytes of DRAM: pages, page tables, records of threads */
    TWZ_ACCOUNT_POOL,     /* bytes of the pool */
    TWZ_ACCOUNT_THREADS,  /* threads that have not ended */
    TWZ_ACCOUNT_KERNEL,   /* bytes of kernel memory: objects in use, mappings, threads */
    TWZ_ACCOUNT_KINDS,    /* number of those above */
    TWZ_ACCOUNT_COUNT = 8 /* the rest is reserved */
};
struct twz_account {
    uint64_t magic;                    /* TWZ_ACCOUNT_MAGIC */
    uint64_t flags;                    /* 0 */
    objid_t parent;                    /* 0: none; the kernel and the first program have none */
    uint64_t limit[TWZ_ACCOUNT_COUNT]; /* by enum twz_account_of; 0: only the parent's limit */
    uint64_t use[TWZ_ACCOUNT_COUNT];   /* the same; with the children's */
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
    objid_t account;         /* for programs: its limits leave a reserve; 0: there is none */
};

#endif

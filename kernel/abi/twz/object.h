/* SPDX-License-Identifier: MIT */
/*
 * The layout of an object's 1 GiB, the argument blocks of calls, and the answer of obj_stat.
 *
 *   0          null page, never mapped
 *   4 KiB      data, from the base up
 *   1G - 2M    TWZ_OBJ_DATA_TOP: end of data
 *              foreign object table (FOT), grows down: entry i ends at TWZ_OBJ_META - i * 32
 *   1G - 8K    the user's metadata page: struct twz_meta
 *   1G - 4K    the kernel's record, read-only: struct twz_record
 *
 * A sealed object (TWZ_OBJ_SEALED, obj_seal) is persistent, of kind DATA, and never has WRITE. Its
 * nonce is 0; its ID is BLAKE2b-128 over nonce, default permissions, kuid and the root of a hash
 * tree over all its pages but the record. The same content of the same owner thus has the same ID.
 *
 * A flat object (TWZ_OBJ_FLAT) is volatile, of kind DATA, and has data in all its pages. Flat
 * objects in consecutive slots are memory of any size. Persistent pointers do not lead into them.
 */
#ifndef TWZ_OBJECT_H
#define TWZ_OBJECT_H

#include <twz/types.h>

#define TWZ_PAGE_SHIFT 12
#define TWZ_PAGE_SIZE  4096u

#define TWZ_OBJ_SHIFT    30
#define TWZ_OBJ_SIZE     (1ull << TWZ_OBJ_SHIFT)
#define TWZ_OBJ_PAGES    (1u << (TWZ_OBJ_SHIFT - TWZ_PAGE_SHIFT))
#define TWZ_OBJ_BASE     4096ull                       /* first byte of data */
#define TWZ_OBJ_DATA_TOP (TWZ_OBJ_SIZE - (2ull << 20)) /* first byte past the data */
#define TWZ_OBJ_DATA_MAX (TWZ_OBJ_DATA_TOP - TWZ_OBJ_BASE)
#define TWZ_OBJ_RECORD   (TWZ_OBJ_SIZE - 4096ull)
#define TWZ_OBJ_META     (TWZ_OBJ_SIZE - 8192ull)
#define TWZ_PAGE_RECORD  (TWZ_OBJ_PAGES - 1u)
#define TWZ_PAGE_META    (TWZ_OBJ_PAGES - 2u)

/* FOT index 0 is the object itself and has no entry: entries are 1 .. TWZ_FOT_MAX. */
#define TWZ_FOT_ENTRY 32u
#define TWZ_FOT_MAX   ((uint32_t)((TWZ_OBJ_META - TWZ_OBJ_DATA_TOP) / TWZ_FOT_ENTRY))

#define TWZ_PPTR_OFF(raw)  ((raw) & (TWZ_OBJ_SIZE - 1))
#define TWZ_PPTR_FOT(raw)  ((raw) >> TWZ_OBJ_SHIFT)
#define TWZ_PPTR(fot, off) (((uint64_t)(fot) << TWZ_OBJ_SHIFT) | (uint64_t)(off))

/* A FOT entry. The flags word commits it: an entry without TWZ_FOT_VALID is free or half written.
 * */
struct twz_fot_entry {
    uint64_t flags;    /* TWZ_FOT_* and the rights that the entry asks for */
    uint64_t resolver; /* by name: index into the *reader's* table of resolvers; 0: its root */
    union {
        objid_t id; /* by ID: the target */
        struct {
            uint64_t name_off; /* by name: offset in the same object of a name that ends with 0 */
            uint64_t pad;      /* 0 */
        } name;
    };
};
_Static_assert(sizeof(struct twz_fot_entry) == TWZ_FOT_ENTRY, "fot entry size");
#define TWZ_FOT_VALID 0x100ull
#define TWZ_FOT_NAME  0x200ull /* by name; otherwise by ID */
/* The low byte of flags has the TWZ_READ, TWZ_WRITE and TWZ_EXEC that the entry asks for. */

/* An extension tag: the location of a structured header in the object. The tag commits it. */
struct twz_ext {
    uint64_t tag; /* the structured type; 0: the entry is free, whatever its off */
    uint64_t off; /* of its header in the object */
};
_Static_assert(sizeof(struct twz_ext) == 16, "ext size");
#define TWZ_EXT_MAX 64u

/* The user's metadata page. All zero (never written) is a valid, empty object. The attributes that
 * naming and POSIX change lie in a volume's attribute table (objects/attr). */
#define TWZ_META_MAGIC 0x3274656d2d7a7774ull /* "twz-met2" */
struct twz_meta {
    uint64_t magic;        /* 0 or TWZ_META_MAGIC */
    uint64_t size;         /* bytes of data from the base on; the length of a file */
    uint64_t fot_count;    /* highest FOT index allocated; raised by fetch-add */
    uint64_t type;         /* fingerprint of the type at the base; 0: untyped */
    uint64_t type_version; /* of that type */
    uint64_t next;         /* p-ptr: continuation of a file beyond TWZ_OBJ_DATA_MAX; 0: none */
    uint64_t reserved[10]; /* [0]: the mutex (twz/mutex.h) of a change of ext; the others 0 */
    struct twz_ext ext[TWZ_EXT_MAX];
};
_Static_assert(sizeof(struct twz_meta) == 128 + 16 * TWZ_EXT_MAX, "meta size");
_Static_assert(sizeof(struct twz_meta) <= TWZ_PAGE_SIZE, "meta fits its page");

/* Kinds: the meaning of an object to the kernel. */
#define TWZ_KIND_DATA    0u  /* none */
#define TWZ_KIND_VIEW    1u  /* twz/view.h */
#define TWZ_KIND_THREAD  2u  /* twz/thread.h */
#define TWZ_KIND_SCTX    3u  /* a security context */
#define TWZ_KIND_ROOT    4u  /* the root KSO (twz/kso.h) */
#define TWZ_KIND_DEVICE  5u  /* twz/device.h */
#define TWZ_KIND_DIR     6u  /* a KSO directory (twz/kso.h) */
#define TWZ_KIND_SYSTEM  7u  /* the system information page (twz/kso.h) */
#define TWZ_KIND_ACCOUNT 8u  /* an account (twz/kso.h) */
#define TWZ_KIND_SERVICE 9u  /* a service (twz/service.h) */
#define TWZ_KINDS        10u /* kinds below this are known; the store refuses all others */

/* Object flags. */
#define TWZ_OBJ_PERSIST     0x01u /* the pool has it */
#define TWZ_OBJ_PROVISIONAL 0x02u /* recovery keeps it only if its witness holds */
#define TWZ_OBJ_SEALED      0x04u /* its ID covers its content (HASHDATA) */
#define TWZ_OBJ_DELETED     0x08u /* its ID is gone; uses keep its memory */
#define TWZ_OBJ_PINNED      0x10u /* obj_pin */
#define TWZ_OBJ_DAMAGED     0x20u /* its metadata in the pool is not valid */
#define TWZ_OBJ_FLAT        0x40u /* every page is data: no null page, metadata, FOT or record */

/* Classes: the promise that a persistent object keeps over a power failure. */
#define TWZ_CLASS_DURABLE 0u /* durable data stays; the kernel refuses other classes */

/* When stores into a persistent object become durable without a call of the writer. An orderly
 * shutdown flushes every object. */
#define TWZ_PERSIST_EXPLICIT 0u /* never */
#define TWZ_PERSIST_RELEASE  1u /* at its last use */
#define TWZ_PERSIST_PERIODIC 2u /* at its last use, and once a second */

/* The record page: the properties of the object. The kernel writes it, user code may read it. */
#define TWZ_RECORD_MAGIC 0x3263657262617774ull
struct twz_record {
    uint64_t magic;            /* TWZ_RECORD_MAGIC */
    uint32_t kind;             /* TWZ_KIND_* */
    uint32_t flags;            /* TWZ_OBJ_* */
    objid_t id;                /* of the object */
    uint64_t nonce[2];         /* random; the ID follows from it, the permissions and kuid */
    objid_t kuid;              /* the public-key object that owns it; 0: none */
    uint32_t perms;            /* default permissions in force, TWZ_READ and so on */
    uint32_t persist;          /* TWZ_PERSIST_* */
    uint64_t revocation_epoch; /* capabilities of earlier epochs are void */
    uint64_t class_;           /* TWZ_CLASS_* */
    objid_t account;           /* the ACCOUNT object that pays for it; 0: none */
    objid_t tree;              /* sealed: the object that holds its hash tree; else 0 */
    uint64_t born_epoch;       /* 0 (reserved) */
    uint64_t deleted_epoch;    /* 0 (reserved) */
};
_Static_assert(sizeof(struct twz_record) == 136, "record size");

/* Argument of obj_create. A witness makes a persistent object provisional (doc/spec.md, 1). */
#define TWZ_CREATE_MIN 120u /* bytes of its first version */
struct twz_create {
    uint32_t flags;         /* TWZ_OBJ_PERSIST, TWZ_OBJ_PROVISIONAL, TWZ_OBJ_FLAT */
    uint32_t perms;         /* default permissions */
    uint32_t kind;          /* TWZ_KIND_DATA, VIEW, THREAD, DIR, SCTX, ACCOUNT or SERVICE */
    uint32_t persist;       /* TWZ_PERSIST_* */
    uint32_t class_;        /* TWZ_CLASS_* */
    uint32_t source_size;   /* bytes of one struct twz_copy of `sources` */
    objid_t kuid;           /* the public-key object that owns it; 0: none */
    objid_t account;        /* the ACCOUNT object that pays for it; 0: the caller's */
    objid_t witness;        /* PROVISIONAL: the object that holds the witness word */
    uint64_t witness_off;   /* PROVISIONAL: the word's offset in it */
    uint64_t witness_value; /* PROVISIONAL: its value; 0: id.lo of the new object */
    objid_t tie;            /* the parent; its deletion deletes this object too; 0: none */
    uint64_t sources;       /* user address of struct twz_copy[nsources] */
    uint64_t nsources;      /* 64 at most */
    uint32_t context;       /* SCTX: TWZ_CONTEXT_*; else 0 */
    uint32_t keep;          /* holder not 0: rights that the caller's context has, too */
    objid_t holder;         /* the security context that has all rights; 0: the caller's */
};
_Static_assert(sizeof(struct twz_create) == 144, "create size");

/* The base of a new security context. It has the masks of its creator's context in any case. */
#define TWZ_CONTEXT_TAKES_IN 0u /* the base of its creator's context; that itself if it has none */
#define TWZ_CONTEXT_EMPTY    1u /* nothing */
#define TWZ_CONTEXT_WITHIN   2u /* its creator's context */

/* A range of whole pages copied from one object into another, copy-on-write where possible. */
struct twz_copy {
    objid_t src;      /* the object to read */
    objid_t dst;      /* the object to write; obj_create ignores it, and writes the new one */
    uint64_t src_off; /* bytes, a multiple of the page size, as are the next two */
    uint64_t dst_off;
    uint64_t len;
    uint64_t flags; /* 0 */
};
#define TWZ_COPY_MIN 64u
_Static_assert(sizeof(struct twz_copy) == TWZ_COPY_MIN, "copy size");

/* Answer of obj_stat. */
#define TWZ_STAT_MIN 128u
struct twz_stat {
    objid_t id;                /* as in struct twz_record */
    objid_t kuid;              /* as in struct twz_record */
    uint32_t kind;             /* as in struct twz_record */
    uint32_t flags;            /* TWZ_OBJ_*, PINNED too */
    uint32_t perms;            /* as in struct twz_record */
    uint32_t rights;           /* the caller's own, by default permissions or otherwise */
    uint32_t persist;          /* as in struct twz_record */
    uint32_t class_;           /* as in struct twz_record */
    uint64_t pages;            /* frames it owns, 4 KiB each */
    uint64_t uses;             /* mappings in address spaces, plus the pins */
    uint64_t revocation_epoch; /* as in struct twz_record */
    objid_t account;           /* as in struct twz_record */
    objid_t tree;              /* as in struct twz_record */
    uint64_t reserved[2];      /* 0 */
};
_Static_assert(sizeof(struct twz_stat) == TWZ_STAT_MIN, "stat size");

/* Flags of obj_delete. Both delete the ID at once. */
#define TWZ_DELETE_DEFERRED 0u /* the memory is freed at the last use */
#define TWZ_DELETE_NOW      1u /* the object is unmapped everywhere first */

/* Operations of obj_range on the whole pages of [start, start + len). */
#define TWZ_RANGE_DISCARD  0u /* pages become absent: they read as zero; not protected ones */
#define TWZ_RANGE_HOLE     1u /* pages become holes: any access faults */
#define TWZ_RANGE_PROTECT  2u /* pages become read-only, whatever the rights */
#define TWZ_RANGE_POPULATE 3u /* pages are allocated and mapped ahead */
#define TWZ_RANGE_PERSIST  4u /* stores into the pages are durable at the return */

/* Operations of obj_ctl. */
#define TWZ_CTL_PERMANENT 0u  /* a provisional object becomes permanent */
#define TWZ_CTL_PERSIST   1u  /* arg: 0 volatile, 1 persistent; the object migrates while in use */
#define TWZ_CTL_MODE      2u  /* arg: TWZ_PERSIST_* */
#define TWZ_CTL_PERMS     3u  /* arg: the default permissions, fewer than before */
#define TWZ_CTL_LIMIT     16u /* + TWZ_ACCOUNT_*: of an ACCOUNT object; arg: the limit, 0: none */

#endif

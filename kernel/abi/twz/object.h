/* SPDX-License-Identifier: MIT */
/*
 * The layout of an object's 1 GiB, the calls' argument blocks, and what stat tells.
 *
 *   0          null page, never mapped
 *   4 KiB      data, from the base up
 *   1G - 2M    TWZ_OBJ_DATA_TOP: end of data
 *              foreign object table (FOT), entry i ends at TWZ_OBJ_META - i * 32, grows down
 *   1G - 8K    user's metadata page: struct twz_meta
 *   1G - 4K    the kernel's record, shown read-only: struct twz_record
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

/*
 * A FOT entry. The flags word commits it: an entry without TWZ_FOT_VALID is free or half written.
 * By ID: id names the target. By name: name_off is the offset, in the same object, of a
 * NUL-terminated name; resolver is an index into the *reader's* table of resolvers (0: its root).
 */
struct twz_fot_entry {
    uint64_t flags;
    uint64_t resolver;
    union {
        objid_t id;
        struct {
            uint64_t name_off;
            uint64_t pad;
        } name;
    };
};
_Static_assert(sizeof(struct twz_fot_entry) == TWZ_FOT_ENTRY, "fot entry size");
#define TWZ_FOT_VALID 0x100ull
#define TWZ_FOT_NAME  0x200ull /* by name; otherwise by ID */
/* the low byte holds the TWZ_READ/WRITE/EXEC the entry asks for */

/* An extension tag: where a structured header lies in the object. tag 0 is free. */
struct twz_ext {
    uint64_t tag;
    uint64_t off;
};
_Static_assert(sizeof(struct twz_ext) == 16, "ext size");
#define TWZ_EXT_MAX 64u

/* The user's metadata page. All zero (never written) is a valid, empty object. */
#define TWZ_META_MAGIC 0x3174656d2d7a7774ull /* "twz-met1" */
struct twz_meta {
    uint64_t magic;     /* 0 or TWZ_META_MAGIC */
    uint64_t size;      /* bytes of data from the base that count, as a file's length */
    uint64_t fot_count; /* highest FOT index handed out; claimed by fetch-add */
    uint64_t type;      /* fingerprint of the type at the base, 0: untyped */
    uint64_t type_version;
    uint64_t mode;     /* POSIX mode bits, advisory; 0: a twz object */
    uint64_t mtime_ns; /* advisory, nanoseconds since 1970 */
    uint64_t ctime_ns;
    uint64_t next;       /* p-ptr: continuation of a file beyond TWZ_OBJ_DATA_MAX, 0: none */
    uint64_t links;      /* names a namespace gave it beyond the first; 0: one name or none */
    uint64_t lock;       /* a twz_mutex: libtwix's, while it changes a file's size */
    uint64_t links_lock; /* a twz_mutex: guards links; means nothing after a boot */
    objid_t links_by;    /* directory with an unfinished change of links; 0: none */
    uint64_t reserved[2];
    struct twz_ext ext[TWZ_EXT_MAX];
};
_Static_assert(sizeof(struct twz_meta) == 128 + 16 * TWZ_EXT_MAX, "meta size");
_Static_assert(sizeof(struct twz_meta) <= TWZ_PAGE_SIZE, "meta fits its page");

/* Kinds: what the kernel knows an object to be. */
#define TWZ_KIND_DATA   0u
#define TWZ_KIND_VIEW   1u
#define TWZ_KIND_THREAD 2u
#define TWZ_KIND_SCTX   3u
#define TWZ_KIND_ROOT   4u
#define TWZ_KIND_DEVICE 5u
#define TWZ_KIND_DIR    6u /* a KSO directory */
#define TWZ_KIND_SYSTEM 7u /* system facts, read-only */

/* Object flags. */
#define TWZ_OBJ_PERSIST     0x01u
#define TWZ_OBJ_PROVISIONAL 0x02u
#define TWZ_OBJ_SEALED      0x04u /* HASHDATA */
#define TWZ_OBJ_DELETED     0x08u
#define TWZ_OBJ_PINNED      0x10u
#define TWZ_OBJ_DAMAGED     0x20u

/* How persistence happens. */
#define TWZ_PERSIST_EXPLICIT 0u
#define TWZ_PERSIST_RELEASE  1u
#define TWZ_PERSIST_PERIODIC 2u

/* The record page: the kernel's words about the object, read-only to everybody. */
#define TWZ_RECORD_MAGIC 0x3163657262617774ull
struct twz_record {
    uint64_t magic;
    uint32_t kind;
    uint32_t flags;
    objid_t id;
    uint64_t nonce[2];
    objid_t kuid;
    uint32_t perms; /* default permissions */
    uint32_t persist;
    uint64_t revocation_epoch;
    uint64_t account;
    uint64_t class_;
    uint64_t born_epoch;
    uint64_t deleted_epoch;
};
_Static_assert(sizeof(struct twz_record) == 112, "record size");

/* Call argument: obj_create. A witness makes a persistent object provisional (doc/spec.md, 1). */
struct twz_create {
    uint32_t flags; /* TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL */
    uint32_t perms; /* default permissions */
    uint32_t kind;
    uint32_t persist; /* TWZ_PERSIST_* */
    objid_t kuid;
    objid_t witness; /* object that holds the witness word */
    uint64_t witness_off;
    uint64_t witness_value; /* 0: the low half of the new object's own ID (id.lo) */
    objid_t tie;            /* parent whose death is this object's death; 0: none */
    uint64_t sources;       /* user address of struct twz_copy[nsources] */
    uint64_t nsources;
};
_Static_assert(sizeof(struct twz_create) == 96, "create size");

/* A range of whole pages copied from one object into another, copy-on-write where possible. */
struct twz_copy {
    objid_t src;
    objid_t dst; /* ignored by obj_create: the new object */
    uint64_t src_off;
    uint64_t dst_off;
    uint64_t len;
};
_Static_assert(sizeof(struct twz_copy) == 56, "copy size");

/* Answer of obj_stat. */
struct twz_stat {
    objid_t id;
    objid_t kuid;
    uint32_t kind;
    uint32_t flags;
    uint32_t perms;
    uint32_t persist;
    uint64_t pages; /* frames it owns, 4 KiB each */
    uint64_t uses;  /* mappings: roots that may map it, plus pins */
    uint64_t revocation_epoch;
    uint64_t account;
};
_Static_assert(sizeof(struct twz_stat) == 80, "stat size");

/* obj_delete flags: the ID is dead at once either way; the memory goes at the last use or now. */
#define TWZ_DELETE_DEFERRED 0u
#define TWZ_DELETE_NOW      1u

/* obj_range operations on whole pages of [start, start + len). */
#define TWZ_RANGE_DISCARD  0u /* becomes absent: reads as zero */
#define TWZ_RANGE_HOLE     1u /* becomes a hole: touching it is a fault */
#define TWZ_RANGE_PROTECT  2u /* pages become read-only for all */
#define TWZ_RANGE_POPULATE 3u /* allocate and map ahead */
#define TWZ_RANGE_PERSIST  4u /* flush the range */

/* obj_ctl operations. */
#define TWZ_CTL_PERMANENT 0u /* a provisional object stays */
#define TWZ_CTL_PERSIST   1u /* arg: 0 volatile, 1 persistent: changes live */
#define TWZ_CTL_MODE      2u /* arg: TWZ_PERSIST_* */
#define TWZ_CTL_PERMS     3u /* arg: fewer default permissions */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Objects: make, open, look at, let go.
 *
 * A twzobj is an open object: its ID and the address where this program sees it (1 GiB, aligned to
 * 1 GiB; offset 0 is `start`, the data begin at twz_object_base). Opening the same object twice
 * gives the same address where the rights are the same. Handles may be copied; each successful
 * open or new wants one release.
 *
 * Functions return >= 0, or -TWZ_E* (twz/error.h); none blocks; all may be called from any thread.
 * Loads of pages never written read as zero. A store where nobody stored yet wants room: in a full
 * pool it is a fault, in host tools always. Call twz_touch before, where an error is better.
 */
#ifndef TWZ_OBJ_H
#define TWZ_OBJ_H

#include <twz/error.h>
#include <twz/object.h>

#define TWZ_CHECKED __attribute__((warn_unused_result))

typedef struct twzobj {
    uint8_t *start; /* d-ptr to offset 0, NULL: not open */
    objid_t id;
    uint32_t rights; /* TWZ_READ ..., as opened */
    uint32_t pad;
} twzobj;

/* Flags of twz_object_new: the default permissions, and how long it lives. */
#define TWZ_OC_DFL_READ  TWZ_READ
#define TWZ_OC_DFL_WRITE TWZ_WRITE
#define TWZ_OC_DFL_EXEC  TWZ_EXEC
#define TWZ_OC_DFL_USE   TWZ_USE
#define TWZ_OC_DFL_DEL   TWZ_DEL
#define TWZ_OC_PERSIST   0x100u /* survives power; without a name, found by its ID only */

/*
 * A new object, opened READ | WRITE. `src` (may be NULL): start as a copy of it. `ku` (may be
 * NULL): the public key object that its capabilities answer to. No TWZ_OC_DFL_* at all stands for
 * READ | WRITE | USE | DEL.
 */
TWZ_CHECKED int twz_object_new(twzobj *obj, const twzobj *src, const twzobj *ku, uint64_t flags);

/* The same, with everything that can be said (twz/object.h): witness, tie, kind, sources. */
TWZ_CHECKED int twz_object_create(twzobj *obj, const struct twz_create *create);

/* Open by ID or by name. rights: TWZ_READ | TWZ_WRITE | TWZ_EXEC; never WRITE and EXEC. A missing
 * object is -TWZ_ENOOBJ, or a fault at the first touch where it goes away afterwards. */
TWZ_CHECKED int twz_object_init_guid(twzobj *obj, objid_t id, uint32_t rights);
TWZ_CHECKED int twz_object_init_name(twzobj *obj, const char *name, uint32_t rights);

/* The open object that a d-ptr points into: no new reference, do not release it. */
TWZ_CHECKED int twz_object_init_ptr(twzobj *obj, const void *p);

/* Let go; the last release of an object unmaps it and ends every d-ptr into it. */
void twz_object_release(twzobj *obj);

/* TWZ_DELETE_DEFERRED or TWZ_DELETE_NOW. The handle stays to be released. */
int twz_object_delete(const twzobj *obj, uint64_t flags);
int twz_object_delete_guid(objid_t id, uint64_t flags);

TWZ_CHECKED int twz_object_stat(objid_t id, struct twz_stat *stat);
TWZ_CHECKED int twz_object_ctl(objid_t id, uint64_t op, uint64_t arg);

/* Make the pages of [p, p + len) exist; see above. */
TWZ_CHECKED int twz_touch(const void *p, uint64_t len);

static inline void *twz_object_base(const twzobj *obj)
{
    return obj->start + TWZ_OBJ_BASE;
}

static inline struct twz_meta *twz_object_meta(const twzobj *obj)
{
    return (struct twz_meta *)(void *)(obj->start + TWZ_OBJ_META);
}

static inline objid_t twz_object_guid(const twzobj *obj)
{
    return obj->id;
}

/*
 * Extension tags: where a structured header lies. getext gives NULL where the tag is absent. addext
 * is durable on return and atomic under concurrency and power failure: -TWZ_EEXIST, -TWZ_EFULL.
 * delext: -TWZ_ENONAME.
 */
void *twz_object_getext(const twzobj *obj, uint64_t tag);
TWZ_CHECKED int twz_object_addext(const twzobj *obj, uint64_t tag, const void *header);
TWZ_CHECKED int twz_object_delext(const twzobj *obj, uint64_t tag);

/* Bytes of data from the base that count (a file's length). set is durable on return. */
uint64_t twz_object_size(const twzobj *obj);
TWZ_CHECKED int twz_object_set_size(const twzobj *obj, uint64_t size);

/* Text of an error number, positive or negative; never NULL. */
const char *twz_error_text(int error);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Objects: create, open, access, release.
 *
 * A twzobj is an open object: its ID and its address in this program. The address is a multiple of
 * 1 GiB, and so is the size of the mapping. Offset 0 is `start`; the data begin at
 * twz_object_base. Opening an object again with the same rights gives the same address. A handle
 * may be copied; each successful open, new or create needs one release.
 *
 * Any thread may call these functions, without locks. None of them blocks. The result is >= 0 or
 * -TWZ_E* (twz/error.h).
 *
 * A page never written reads as zero. The first store to a page needs space in the pool: if there
 * is none, it is a fault. A program that wants an error instead must call twz_touch before the
 * store. A host tool must always do so.
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

/* Flags of twz_object_new: the default permissions and the lifetime. */
#define TWZ_OC_DFL_READ  TWZ_READ
#define TWZ_OC_DFL_WRITE TWZ_WRITE
#define TWZ_OC_DFL_EXEC  TWZ_EXEC
#define TWZ_OC_DFL_USE   TWZ_USE
#define TWZ_OC_DFL_DEL   TWZ_DEL
#define TWZ_OC_PERSIST   0x100u /* persistent; without a name, only its ID finds it */

/*
 * A new object, open READ | WRITE. src (may be NULL): it starts as a copy of this object. ku (may
 * be NULL): the public key object that owns it. Without any TWZ_OC_DFL_* its default permissions
 * are READ | WRITE | USE | DEL.
 */
TWZ_CHECKED int twz_object_new(twzobj *obj, const twzobj *src, const twzobj *ku, uint64_t flags);

/* As twz_object_new, with all options of the kernel's call (twz/object.h): witness, tie, kind,
 * sources. */
TWZ_CHECKED int twz_object_create(twzobj *obj, const struct twz_create *create);

/* Open by ID or by name. rights: of TWZ_READ, TWZ_WRITE and TWZ_EXEC, never WRITE and EXEC
 * together. -TWZ_ENOOBJ if it does not exist; if it is deleted later, the next access is a fault.
 * */
TWZ_CHECKED int twz_object_init_guid(twzobj *obj, objid_t id, uint32_t rights);
TWZ_CHECKED int twz_object_init_name(twzobj *obj, const char *name, uint32_t rights);

/* The open object that a d-ptr points into. This is no new reference: the caller must not release
 * it. -TWZ_ENOOBJ. */
TWZ_CHECKED int twz_object_init_ptr(twzobj *obj, const void *p);

/* Release a handle. After the last release of an object, its d-ptrs must not be used. */
void twz_object_release(twzobj *obj);

/* flags: TWZ_DELETE_DEFERRED or TWZ_DELETE_NOW. The deletion is durable on return. The handle must
 * still be released. */
int twz_object_delete(const twzobj *obj, uint64_t flags);
int twz_object_delete_guid(objid_t id, uint64_t flags);

TWZ_CHECKED int twz_object_stat(objid_t id, struct twz_stat *stat);
TWZ_CHECKED int twz_object_ctl(objid_t id, uint64_t op, uint64_t arg);

/* Make the pages of [p, p + len) exist, so that stores to them do not fault. -TWZ_ENOSPC,
 * -TWZ_ENOMEM, -TWZ_EDENIED if read-only, -TWZ_EIO. */
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
 * Extension tags: each leads to a structured header in the object. getext returns NULL if there is
 * no such tag. addext and delext are durable on return, and atomic under concurrency and power
 * failure. The header must be durable before addext, unless the object is not reachable yet.
 * addext: -TWZ_EEXIST, -TWZ_EFULL, -TWZ_EINVAL. delext: -TWZ_ENONAME.
 */
void *twz_object_getext(const twzobj *obj, uint64_t tag);
TWZ_CHECKED int twz_object_addext(const twzobj *obj, uint64_t tag, const void *header);
TWZ_CHECKED int twz_object_delext(const twzobj *obj, uint64_t tag);

/* The number of bytes of data, from the base (a file's length). set is durable on return. */
uint64_t twz_object_size(const twzobj *obj);
TWZ_CHECKED int twz_object_set_size(const twzobj *obj, uint64_t size);

/* The text of an error number, positive or negative; never NULL. */
const char *twz_error_text(int error);

#endif

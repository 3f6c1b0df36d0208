/* SPDX-License-Identifier: MIT */
/*
 * Objects: create, open, access, release.
 *
 * A twzobj is a handle of an open object. It holds the object's ID and the address of the object in
 * this program. The address is a multiple of 1 GiB, and the whole 1 GiB belongs to the object. The
 * data begin at twz_object_base. If a program opens an object twice with the same rights, both
 * handles have the same address. A program may copy a handle. It must call twz_object_release once
 * for each successful open, new or create.
 *
 * Any thread may call these functions, and needs no lock. twz_object_init_name may wait for the
 * lock of a directory (twz/name.h); no other function here blocks. Each int result is >= 0 or
 * -TWZ_E* (twz/error.h).
 *
 * A page to which nothing was stored reads as zero. The first store to such a page needs space. If
 * there is no space, the store is a fault. A program that needs an error instead must call
 * twz_touch before it stores. A host tool must always do so.
 */
#ifndef TWZ_OBJ_H
#define TWZ_OBJ_H

#include <twz/error.h>
#include <twz/object.h>

#define TWZ_CHECKED __attribute__((warn_unused_result))

typedef struct twzobj {
    uint8_t *start; /* address of offset 0; NULL: the handle is not open */
    objid_t id;
    uint32_t rights; /* the rights of TWZ_READ, TWZ_WRITE, TWZ_EXEC with which it was opened */
    uint32_t pad;
} twzobj;

/* Flags of twz_object_new. */
#define TWZ_OC_DFL_READ  TWZ_READ
#define TWZ_OC_DFL_WRITE TWZ_WRITE
#define TWZ_OC_DFL_EXEC  TWZ_EXEC
#define TWZ_OC_DFL_USE   TWZ_USE
#define TWZ_OC_DFL_DEL   TWZ_DEL
#define TWZ_OC_PERSIST   0x100u /* the object is persistent */

/*
 * Create an object and open it with TWZ_READ | TWZ_WRITE. If src is not NULL, the new object is a
 * copy of src. If ku is not NULL, ku is the public-key object that owns the new object. If flags
 * has no TWZ_OC_DFL_*, the default permissions are READ, WRITE, USE and DEL. A persistent object
 * without a name can be found again only by its ID.
 */
TWZ_CHECKED int twz_object_new(twzobj *obj, const twzobj *src, const twzobj *ku, uint64_t flags);

/* The default permissions of an object that is for the calling program alone: none, if the program
 * runs in a security context, which then has all rights on what it creates. */
uint32_t twz_private_perms(void);

/* As twz_object_new, with all options of the kernel's call obj_create (twz/object.h). */
TWZ_CHECKED int twz_object_create(twzobj *obj, const struct twz_create *create);

/* Open an object by its ID, or by its name. rights: some of TWZ_READ, TWZ_WRITE and TWZ_EXEC; WRITE
 * and EXEC must not be together. -TWZ_ENOOBJ if the object does not exist. If the object is deleted
 * after the open, an access to it is a fault. */
TWZ_CHECKED int twz_object_init_guid(twzobj *obj, objid_t id, uint32_t rights);
TWZ_CHECKED int twz_object_init_name(twzobj *obj, const char *name, uint32_t rights);

/* Fill in a handle of the open object into which d-ptr p points. This does not open the object once
 * more, so the caller must not release the handle. -TWZ_ENOOBJ if nothing is mapped there. */
TWZ_CHECKED int twz_object_init_ptr(twzobj *obj, const void *p);

/* Release a handle. After the last release of an object, the program must not use d-ptrs
 * into it. */
void twz_object_release(twzobj *obj);

/* Delete an object. flags: TWZ_DELETE_DEFERRED or TWZ_DELETE_NOW. The deletion is durable on
 * return. The caller must still release its handles. */
int twz_object_delete(const twzobj *obj, uint64_t flags);
int twz_object_delete_guid(objid_t id, uint64_t flags);

/*
 * Make a sealed object with the content that obj has now, and return its ID in *sealed. The ID
 * follows from content, owner and default permissions: if there is such an object, it is found,
 * once all bytes were compared. A sealed object is persistent, and nothing can write it. An access
 * to a page that does not match the ID is a fault (TWZ_FAULT_PAGE). obj stays as it is, and must be
 * open with TWZ_READ. It takes about 62,000 instructions a page. -TWZ_EINVAL if obj has a hole, or
 * is not of kind DATA; -TWZ_EBUSY while its tags are being changed; -TWZ_EEXIST, -TWZ_EDAMAGED,
 * -TWZ_EPOISON, -TWZ_ENOSPC, -TWZ_ENOMEM (obj_seal, doc/abi.md). Not for host tools.
 */
TWZ_CHECKED int twz_object_seal(const twzobj *obj, objid_t *sealed);

/* The kernel's calls obj_stat and obj_ctl (twz/object.h). */
TWZ_CHECKED int twz_object_stat(objid_t id, struct twz_stat *stat);
TWZ_CHECKED int twz_object_ctl(objid_t id, uint64_t op, uint64_t arg);

/* Give space to all pages of [p, p + len), so that a store to them is not a fault. Returns
 * -TWZ_ENOSPC or -TWZ_ENOMEM if there is no space, -TWZ_EDENIED if the mapping is read-only,
 * -TWZ_EIO if a page is lost. */
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
 * Extension tags. A tag leads to a structured header in the object.
 *   getext   returns the header, or NULL if the object has no such tag
 *   addext   adds a tag; -TWZ_EEXIST, -TWZ_EFULL, -TWZ_EINVAL if the header is not in the data
 *   delext   removes a tag; -TWZ_ENONAME
 * Each change is durable on return, and atomic for other threads and in a power failure. A result
 * of getext, -TWZ_EEXIST and -TWZ_ENONAME tell of a durable state too, whichever thread made it.
 * The caller of addext must flush the header before; addext fences. addext and delext take a lock
 * in the object: -TWZ_EBUSY if a living thread keeps it for half a minute, or an error of
 * twz_touch.
 */
void *twz_object_getext(const twzobj *obj, uint64_t tag);
TWZ_CHECKED int twz_object_addext(const twzobj *obj, uint64_t tag, const void *header);
TWZ_CHECKED int twz_object_delext(const twzobj *obj, uint64_t tag);

/* The number of bytes of data, counted from the base; a file's length. A new size is durable on
 * return. */
uint64_t twz_object_size(const twzobj *obj);
TWZ_CHECKED int twz_object_set_size(const twzobj *obj, uint64_t size);

/* Returns the text of an error number, which may be positive or negative. Never NULL. */
const char *twz_error_text(int error);

#endif

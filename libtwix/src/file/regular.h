/* SPDX-License-Identifier: MIT */
/*
 * Regular files. A file is a persistent object: its bytes are the data from the base, its length is
 * meta.size. So a twz program can map what a POSIX program writes, and the other way round.
 */
#ifndef TWIX_REGULAR_H
#define TWIX_REGULAR_H

#include <sys/stat.h>

#include "fd.h"

#define REGULAR_MAX TWZ_OBJ_DATA_MAX /* bytes in one file */

extern const struct file_ops regular_ops;

/* Open the object `id` as the object of f, with READ for O_RDONLY, else with READ | WRITE.
 * f->record must be set. Errors are those of regular_map. -EFBIG: the file has more than one
 * object. */
int regular_open(struct file *f, objid_t id, uint32_t access);

/* Open an object and map it. The object then exists until twz_object_release, even if its names are
 * removed. -ENOENT: the object is deleted or damaged. -EACCES: the object's default permissions
 * lack `rights`. -ETXTBSY: `rights` has WRITE, and this process executes the object. */
int regular_map(twzobj *obj, objid_t id, uint32_t rights);

/* The attributes of a new file; `mode` has type and permission bits. */
struct attr_values regular_attrs(uint32_t mode);

/* Fill in the struct stat of an object; `type` is S_IFREG or S_IFDIR. Returns false if the
 * record, which the object's name holds, does not count a name of it. Must be called under a guard,
 * as all functions below. */
bool regular_stat(const twzobj *obj, const struct record_ref *record, uint32_t type,
                  struct stat *st);

/* As regular_stat, for an open file: an object without a name has 0 links, and its attributes
 * lie in the file's state. */
void regular_stat_open(struct file *f, uint32_t type, struct stat *st);

/* Set attributes of an open file, as record_set. Without a record the file's state has them. -EIO:
 * the file has a record, which could not be changed. */
int regular_set_attrs(struct file *f, const struct attr_values *values, uint32_t what);

/* Set the length, durable on return. Bytes past the old length are zero. Returns 0, or -EFBIG,
 * -ENOSPC or another error. May block on the lock of the length. */
int regular_resize(struct file *f, uint64_t len);

/* Set the bytes of [off, off + len) that lie within the length to zero, durable on return. May
 * block on the lock of the length. */
int regular_punch(struct file *f, uint64_t off, uint64_t len);

#endif

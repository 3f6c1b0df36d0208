/* SPDX-License-Identifier: MIT */
/*
 * Regular files: persistent objects whose bytes are the data from the base and whose length is
 * meta.size. What a POSIX program writes a twz program can map, and the other way round.
 */
#ifndef TWIX_REGULAR_H
#define TWIX_REGULAR_H

#include <sys/stat.h>

#include "fd.h"

#define REGULAR_MAX TWZ_OBJ_DATA_MAX /* bytes in one file */

extern const struct file_ops regular_ops;

/* Open the object `id` for `access` (O_RDONLY …): the file's obj is open READ, or READ | WRITE.
 * -EFBIG: the file goes on in a further object. */
int regular_open(struct file *f, objid_t id, uint32_t access);

/* Open any object so that it stays: -ENOENT, -EACCES where its default permissions are fewer,
 * -ETXTBSY to write what this process executes. */
int regular_map(twzobj *obj, objid_t id, uint32_t rights);

/* hier_create's fill: mode (type and permission bits) and times. ctx: const uint32_t *mode. */
int regular_fill(const twzobj *obj, void *ctx);

/* meta of any object as struct stat; type is S_IFREG or S_IFDIR. */
void regular_stat(const twzobj *obj, uint32_t type, struct stat *st);

/* The same of one that is open, and may have lost its last name since: then its ID is dead. */
void regular_stat_open(const twzobj *obj, uint32_t type, struct stat *st);

/* Set the length, durable on return; bytes that come into being are zero. */
int regular_resize(const twzobj *obj, uint64_t len);

/* Bytes [off, off + len) become zero, as far as they lie within the length. */
int regular_punch(const twzobj *obj, uint64_t off, uint64_t len);

#endif

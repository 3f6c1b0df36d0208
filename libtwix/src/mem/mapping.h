/* SPDX-License-Identifier: MIT */
/*
 * File mappings.
 *
 *   shared            the file's own object in a slot; the address is slot + 4 KiB + offset. Two
 *                     mappings of one file with the same rights have the same addresses
 *   private           a volatile copy-on-write copy of the file's pages, tied to the view. It is
 *   with PROT_WRITE   deleted with the last part of the mapping
 *   private, read     like shared
 *
 * A slot has no holes: a part that is unmapped stays readable until the last part is.
 *
 * The caller of every function but mapping_flush_all must hold the lock of mem.c.
 */
#ifndef TWIX_MAPPING_H
#define TWIX_MAPPING_H

#include "file/fd.h"

struct mapping {
    uint8_t *addr; /* NULL: the entry is free */
    uint64_t len;
    twzobj obj;
    twzobj file; /* of a private copy: the file, which a longer mapping copies from */
    bool shared; /* stores reach the file, and must be flushed */
};

/* Map [off, off + len) of the file: the address, or an error of mmap. */
int64_t mapping_new(const struct file *f, uint64_t off, uint64_t len, uint32_t prot, bool shared);

/* The mapping that contains p, NULL: none. */
struct mapping *mapping_of(const void *p);

/* Unmap [at, end). Each address is removed from one mapping, also if two have it. -ENOMEM: the
 * table has no entry for the rest of a mapping that is cut in two. */
int mapping_unmap(uint8_t *at, uint8_t *end);

/* Change the length in place: the address. `oldlen` must be the mapping's length, else -EFAULT;
 * both must be whole pages. -ENOMEM: the addresses are not free. */
int64_t mapping_resize(struct mapping *m, uint64_t oldlen, uint64_t newlen);

/* Make a shared mapping durable; those of an object; all. */
int mapping_flush(const struct mapping *m);
int mapping_flush_object(objid_t id);
void mapping_flush_all(void);

#endif

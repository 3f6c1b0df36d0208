/* SPDX-License-Identifier: MIT */
/*
 * File mappings.
 *
 *   shared            the file's own object in a slot; the address is slot + 4 KiB + offset. Two
 *                     mappings of one file with the same rights have the same addresses
 *   private           a volatile copy-on-write copy of the file's pages, tied to the view. The
 *   with PROT_WRITE   copy is deleted with the last part of the mapping
 *   private, read     like shared
 *
 * A slot has no holes: an unmapped part stays accessible until the last part of the mapping is
 * unmapped.
 *
 * The caller of every function but mapping_flush_all must hold mem_lock (mem.c).
 */
#ifndef TWIX_MAPPING_H
#define TWIX_MAPPING_H

#include "file/fd.h"

struct mapping {
    uint8_t *addr; /* NULL: the entry is free */
    uint64_t len;
    twzobj obj;
    twzobj file; /* of a private copy: the file, for a mapping that grows */
    bool shared; /* stores reach the file, and must be flushed */
};

/* Map [off, off + len) of the file. Returns the address, or an error of mmap. */
int64_t mapping_new(const struct file *f, uint64_t off, uint64_t len, uint32_t prot, bool shared);

/* Returns the mapping that contains p, or NULL. */
struct mapping *mapping_of(const void *p);

/* Unmap [at, end). Each address is removed from one mapping only, even if two mappings contain it.
 * -ENOMEM: the table has no entry for the second part of a mapping that is cut in two. */
int mapping_unmap(uint8_t *at, uint8_t *end);

/* Change the mapping's length in place. Both lengths must be whole pages. Returns the address or an
 * error. -EFAULT: `oldlen` is not the mapping's length. -ENOMEM: the addresses are not free. */
int64_t mapping_resize(struct mapping *m, uint64_t oldlen, uint64_t newlen);

/* Make shared mappings durable: one mapping, all mappings of an object, all mappings. */
int mapping_flush(const struct mapping *m);
int mapping_flush_object(objid_t id);
void mapping_flush_all(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * File mappings. A shared one is the file's own object in a slot, so its address is slot + 4 KiB +
 * file offset, and two of one file with the same rights lie at one address. A private one that may
 * be written is a volatile copy-on-write copy of the file's pages, tied to the view; it goes with
 * the last piece of the mapping. Slots have no holes: what is cut off stays readable until then.
 *
 * Everything here is called under the lock of mem.c.
 */
#ifndef TWIX_MAPPING_H
#define TWIX_MAPPING_H

#include "file/fd.h"

struct mapping {
    uint8_t *addr; /* NULL: free */
    uint64_t len;
    twzobj obj;
    twzobj file; /* of a private copy: the file, for what a longer mapping has to show */
    uint32_t shared;
};

/* [off, off + len) of the file: the address, or an error as mmap has them. */
int64_t mapping_new(const struct file *f, uint64_t off, uint64_t len, uint32_t prot,
                    uint32_t shared);

/* The mapping that has p; NULL: none. */
struct mapping *mapping_of(const void *p);

/* Take away what is mapped in [at, end), from one mapping at each place. -ENOMEM: no room for what
 * is left. */
int mapping_unmap(uint8_t *at, uint8_t *end);

/* Another length, in place: the address. `oldlen` has to be the mapping's; both whole pages. */
int64_t mapping_resize(struct mapping *m, uint64_t oldlen, uint64_t newlen);

/* A shared mapping becomes durable; all of an object; all. */
int mapping_flush(const struct mapping *m);
int mapping_flush_object(objid_t id);
void mapping_flush_all(void);

#endif

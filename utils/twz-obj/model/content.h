/* SPDX-License-Identifier: MIT */
/*
 * Bytes of objects, read and written through the store's pages: no object is mapped as a whole.
 * Offsets count from the object's start (data begin at TWZ_OBJ_BASE). An absent page reads as
 * zeroes; a hole gives -TWZ_EFAULT, a poisoned page -TWZ_EPOISON.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

/* The 4096 bytes of a page (of a page never written: zeroes). 0 or -TWZ_E*. */
int content_page(const struct pool *pool, uint32_t row, uint32_t page, const uint8_t **bytes);

/* Copy out len bytes from off on. 0 or -TWZ_E*. */
int content_read(const struct pool *pool, uint32_t row, uint64_t off, void *out, uint64_t len);

/* The metadata page, checked: -TWZ_EDAMAGED where magic, size or FOT count cannot be. */
int content_meta(const struct pool *pool, uint32_t row, struct twz_meta *meta);

/* FOT entry `index` (1 .. fot_count). */
int content_fot(const struct pool *pool, uint32_t row, uint32_t index, struct twz_fot_entry *out);

/* The object that holds the bytes behind this one's: *next is STORE_NO_ROW at the end. */
int content_next(const struct pool *pool, uint32_t row, const struct twz_meta *meta,
                 uint32_t *next);

/* Length of the whole file that begins in `slot`, its continuations included. */
int content_length(const struct pool *pool, uint32_t row, uint64_t *length);

/* Give each piece of the data of `slot` (and its continuations) to `sink`, in order; bytes NULL
 * stands for zeroes of absent pages. Stops at the first result that is not 0 and returns it. */
typedef int (*content_sink)(void *ctx, const uint8_t *bytes, uint64_t len);
int content_each(const struct pool *pool, uint32_t row, content_sink sink, void *ctx);

/* --- filling an object that nobody else can see yet ---------------------------------------- */

/* Reads up to len bytes of the source: as read(2) but whole, fewer only at its end; < 0 on an error
 * that is reported already. */
typedef int64_t (*content_source)(void *ctx, void *bytes, uint64_t len);

/* Fill the data of an empty object from the source until its end, or until TWZ_OBJ_DATA_MAX bytes;
 * pages of zeroes stay absent. *size: bytes taken. 0, -TWZ_E*, or 1 for an error of the source. */
int content_fill(struct pool *pool, uint32_t row, content_source source, void *ctx, uint64_t *size);

/* Write the metadata page of an object that has none, and FOT entry 1 where `next` is not 0. */
int content_meta_add(struct pool *pool, uint32_t row, const struct twz_meta *meta, objid_t next);

#endif

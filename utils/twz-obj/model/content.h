/* SPDX-License-Identifier: MIT */
/*
 * The bytes of objects, read and written through the store's pages without mapping the object.
 * Offsets count from the object's start; data begin at TWZ_OBJ_BASE. An absent page reads as
 * zeroes. A hole gives -TWZ_EFAULT, a poisoned page -TWZ_EPOISON. Functions return 0 or -TWZ_E*
 * unless they say otherwise.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

/* The 4096 bytes of a page. */
int content_page(const struct pool *pool, uint32_t row, uint32_t page, const uint8_t **bytes);

/* Copy out len bytes from off on. */
int content_read(const struct pool *pool, uint32_t row, uint64_t off, void *out, uint64_t len);

/* The metadata page; -TWZ_EDAMAGED if its magic, size or FOT count is not valid. */
int content_meta(const struct pool *pool, uint32_t row, struct twz_meta *meta);

/* FOT entry `index` (1 .. fot_count). */
int content_fot(const struct pool *pool, uint32_t row, uint32_t index, struct twz_fot_entry *out);

/* The object that continues the file; *next is STORE_NO_ROW if there is none. */
int content_next(const struct pool *pool, uint32_t row, const struct twz_meta *meta,
                 uint32_t *next);

/* The length of the whole file that begins in this object. */
int content_length(const struct pool *pool, uint32_t row, uint64_t *length);

/* Pass the data of the whole file to `sink`, in order; bytes NULL stands for zeroes of absent
 * pages. Stops at the first result that is not 0 and returns it. */
typedef int (*content_sink)(void *ctx, const uint8_t *bytes, uint64_t len);
int content_each(const struct pool *pool, uint32_t row, content_sink sink, void *ctx);

/* --- filling: the object must be provisional, so that no other process sees it ------------- */

/* A source must return len bytes, fewer only at its end, or < 0 after a message. */
typedef int64_t (*content_source)(void *ctx, void *bytes, uint64_t len);

/* Fill an empty object from the source, up to TWZ_OBJ_DATA_MAX bytes; pages of zeroes stay absent.
 * *size: the bytes read. 0, -TWZ_E*, or 1 for an error of the source. */
int content_fill(struct pool *pool, uint32_t row, content_source source, void *ctx, uint64_t *size);

/* Write the metadata page of an object that has none, and FOT entry 1 if `next` is not 0. */
int content_meta_add(struct pool *pool, uint32_t row, const struct twz_meta *meta, objid_t next);

#endif

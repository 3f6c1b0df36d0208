/* SPDX-License-Identifier: MIT */
/*
 * Sealed objects (twz/object.h) in a pool file: making one, and verifying one against its hash
 * tree. Functions return 0 or -TWZ_E*.
 */
#ifndef SEALED_H
#define SEALED_H

#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

/*
 * Seal the content of an object of kind DATA, with these default permissions (without TWZ_WRITE)
 * and the object's owner. If there is such an object already, *id is its ID, and *made is false.
 * -TWZ_EINVAL for another kind, a hole, or neither owner nor permissions; -TWZ_EBUSY if its
 * extensions were being changed; -TWZ_EEXIST if another content has the ID; -TWZ_EDAMAGED if that
 * object is damaged; -TWZ_EPOISON, -TWZ_ENOSPC, -TWZ_ENOMEM, -TWZ_EFULL.
 */
int sealed_make(struct pool *pool, uint32_t row, uint32_t perms, objid_t *id, bool *made);

/* Verify a sealed object: all its pages, and its tree. `found` is called for each problem; page 0:
 * it belongs to no page. -TWZ_ENOMEM. */
int sealed_verify(const struct pool *pool, uint32_t row,
                  void (*found)(void *ctx, objid_t id, uint32_t page, const char *what), void *ctx);

#endif

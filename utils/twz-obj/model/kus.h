/* SPDX-License-Identifier: MIT */
/* Public keys in the pool: sealed objects, each a ku (security/format.h). */
#ifndef KUS_H
#define KUS_H

#include <format.h>

#include "pool.h"

/* Read a ku. -TWZ_ENOOBJ; -TWZ_ETYPE: the object is none; -TWZ_EDAMAGED: its content does not have
 * its ID. */
int ku_read(const struct pool *pool, objid_t kuid, struct sec_ku *ku);

/* Make the ku of these keys, unless the pool has it, and name it `path`; NULL: without a name.
 * TOOL_OK, or an exit code after a message. */
int ku_create(struct pool *pool, const char *path, const struct sec_ku *ku, objid_t *kuid);

#endif

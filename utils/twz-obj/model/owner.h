/* SPDX-License-Identifier: MIT */
/* The owner of a pool, and the security context that the first program takes in. */
#ifndef OWNER_H
#define OWNER_H

#include <sign/sign.h>

#include "pool.h"

/*
 * Make the owner's context and name it in the superblock. It masks nothing. With a key, the pool
 * also gets the owner's ku; the context belongs to it, and has a capability for all objects of that
 * owner, which the key signs. TOOL_OK, or an exit code after a message.
 */
int owner_make(struct pool *pool, const struct sign_key *key);

#endif

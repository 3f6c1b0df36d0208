/* SPDX-License-Identifier: MIT */
/*
 * A pool that is ready for commands: its file mapped, its store validated and recovered, libtwz's
 * platform attached to it. A pool that is only looked at is recovered in the private map; the file
 * stays as it is.
 *
 * pool_open does all steps. pool_file_open, pool_validate and pool_recover are those steps, for
 * commands that work on a pool that is not recovered. All return TOOL_OK, or an exit code after one
 * line that says what is wrong, where, and what to do.
 */
#ifndef POOL_H
#define POOL_H

#include "pool_file.h"

/* The file is unchanged on an error. */
int pool_open(struct pool **out, const char *path, enum pool_mode mode);

/* All changes reach the media; the lock ends. */
int pool_close(struct pool *pool);

/* The memory and the callbacks with which the store works on a mapped pool. */
void pool_env(struct pool *pool, struct store_env *env);

/* Check the superblock and open the store. */
int pool_validate(struct pool *pool);

/* Recover the store and attach libtwz. Must follow pool_validate. */
int pool_recover(struct pool *pool);

/* Write new roots to the superblock; pool->names follows. */
int pool_roots_set(struct pool *pool, const struct store_roots *roots);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Messages for errors of libtwz and hier (-TWZ_E*), with the reason as the pool shows it. Each
 * function prints and returns the exit code.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdint.h>

#include "pool.h"

/* An error about `path`. The message names the part of the path that is missing or not a directory,
 * or the limit of the pool that is reached; else as fail_twz. */
int explain_path(const struct pool *pool, const char *path, int64_t error);

/* The same for a path that was to be made: the remedy for a missing directory is to make it. */
int explain_make(const struct pool *pool, const char *path, int64_t error);

/* The same for an object without a path. */
int explain_pool(const struct pool *pool, int64_t error);

/* The path means directory `dir` itself and has no last name ("/", "a/.."), so it cannot be `verb`
 * ("removed"). */
int explain_nameless(const struct pool *pool, const char *path, objid_t dir, const char *verb);

#endif

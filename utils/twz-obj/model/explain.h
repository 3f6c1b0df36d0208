/* SPDX-License-Identifier: MIT */
/* Errors of libtwz and hier whose reason the pool knows, said with that reason. */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdint.h>

#include "pool.h"

/*
 * An error (-TWZ_E...) about `path`: names the directory on the way that is missing or is none, and
 * the limit of the pool that is reached; else as fail_twz. Prints, and returns the exit code.
 */
int explain_path(const struct pool *pool, const char *path, int64_t error);

/* The same where something was to be made there: a missing directory can be made first. */
int explain_make(const struct pool *pool, const char *path, int64_t error);

/* The same about the pool, for what has no path. */
int explain_pool(const struct pool *pool, int64_t error);

/* A path that is no name, but directory `dir` itself ("/", "a/.."): was to be `verb`, "removed". */
int explain_nameless(const struct pool *pool, const char *path, objid_t dir, const char *verb);

#endif

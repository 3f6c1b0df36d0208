/* SPDX-License-Identifier: MIT */
/* libtwz's platform (libtwz/src/platform.h) over the store of one open pool file. */
#ifndef HOST_PLATFORM_H
#define HOST_PLATFORM_H

#include <stddef.h>

#include "pool_file.h"

/* Serve this pool from now on. TOOL_OK, or an exit code after a message. */
int host_platform_attach(struct pool *pool);

/* Stop serving it, if it is the one that is served. */
void host_platform_detach(const struct pool *pool);

/* Bytes from the host's random generator. TOOL_OK, or an exit code after a message. */
int host_random(void *bytes, size_t len);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * libtwz's platform (libtwz/src/platform.h) over the store of one open pool. window.c implements
 * its functions for mappings, host_platform.c all others.
 */
#ifndef HOST_PLATFORM_H
#define HOST_PLATFORM_H

#include <stddef.h>

#include "pool_file.h"

/* Let libtwz work on this pool. TOOL_OK, or an exit code after a message. */
int host_platform_attach(struct pool *pool);

/* End that, if the pool is the attached one. Must precede pool_file_close. */
void host_platform_detach(const struct pool *pool);

/* Bytes from the host's random generator. TOOL_OK, or an exit code after a message. */
int host_random(void *bytes, size_t len);

#endif

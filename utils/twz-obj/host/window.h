/* SPDX-License-Identifier: MIT */
/*
 * Windows: address ranges of 1 GiB into which the pool file's frames are mapped, so that libtwz
 * sees an object as a program inside the system does. window.c implements plat_map, plat_unmap,
 * plat_id_at and plat_touch of libtwz's platform.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include "pool_file.h"

/* Reserve the windows of this pool. TOOL_OK, or an exit code after a message. */
int window_attach(struct pool *pool);

/* Unmap all windows, if the pool is the attached one. */
void window_detach(const struct pool *pool);

/* Map the window of an object again, if it has one. Must be called after the object's pages were
 * changed below libtwz. 0 or -TWZ_E*. */
int window_refresh(uint32_t row);

/* Free the frames of a deleted object: now, or when its window's use count falls to 0. */
int window_release_object(uint32_t row);

/* POOL_READ: a page that exists, in the window through which its object was changed in memory. NULL
 * if there is none: then the pool's map holds the valid bytes. */
const uint8_t *window_page(uint32_t row, uint32_t page);

#endif

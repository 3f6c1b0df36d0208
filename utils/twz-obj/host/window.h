/* SPDX-License-Identifier: MIT */
/*
 * Windows: address ranges of 1 GiB into which the pool file's frames are mapped, so that libtwz
 * sees an object as a program inside the system does. window.c gives libtwz's platform seam
 * plat_map, plat_unmap, plat_id_at and plat_touch.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include "pool_file.h"

/* Serve this pool from now on. TOOL_OK, or an exit code after a message. */
int window_attach(struct pool *pool);

/* Give all windows back, if this pool is the one that is served. */
void window_detach(const struct pool *pool);

/* The pages of an object were changed below libtwz: its window, if any, is mapped anew. */
int window_refresh(uint32_t row);

/* Release a dead object's frames: now, or when its window is let go. */
int window_released(uint32_t row);

/* Looking only: what was stored in a window since reaches the pool's private map as well. */
void window_flush(const void *p, uint64_t len);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The process's memory beyond text, data and first stack. Anonymous memory comes page by page from
 * arenas, which are volatile objects tied to the view. File mappings are in mapping.h.
 *
 * Protection is per slot. All memory of an arena is READ | WRITE, whatever mprotect requests; a
 * request for EXEC on an arena fails.
 */
#ifndef TWIX_MEM_H
#define TWIX_MEM_H

#include <twz/object.h>

/* Allocate zeroed anonymous memory in whole pages, for libtwix itself. Returns NULL if there is
 * none left. */
void *mem_alloc(uint64_t len);
void mem_free(void *p, uint64_t len);

/* Make the shared mappings of one object durable, or all shared mappings. mem_flush_all takes no
 * lock, so it may miss a mapping that another thread changes meanwhile. */
int mem_flush(objid_t id);
void mem_flush_all(void);

#endif

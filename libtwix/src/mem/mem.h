/* SPDX-License-Identifier: MIT */
/*
 * The process's memory beyond text, data and first stack. Anonymous memory is cut from arenas,
 * volatile objects tied to the view, page by page; for mappings of files see mapping.h.
 *
 * Protection is per slot: inside an arena all is READ | WRITE, whatever mprotect was told; asking
 * for EXEC there is refused.
 */
#ifndef TWIX_MEM_H
#define TWIX_MEM_H

#include <twz/object.h>

/* `len` bytes of zeroed anonymous memory, whole pages; NULL: none left. */
void *mem_alloc(uint64_t len);
void mem_free(void *p, uint64_t len);

/* Shared file mappings become durable: of one object, or of all (the process's end). */
int mem_flush(objid_t id);
void mem_flush_all(void);

#endif

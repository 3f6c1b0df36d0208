/* SPDX-License-Identifier: MIT */
/*
 * The process's memory beyond text, data and first stack. Anonymous memory is cut from arenas,
 * volatile objects tied to the view, page by page; a file mapping is the file's own object (or a
 * copy-on-write copy of it) in a slot, so its address is slot + 4 KiB + file offset.
 *
 * Protection is per slot: inside an arena all is READ | WRITE, whatever mprotect was told; asking
 * for EXEC there is refused.
 */
#ifndef TWIX_MEM_H
#define TWIX_MEM_H

#include <twz/types.h>

/* `len` bytes of zeroed anonymous memory, whole pages; NULL: none left. */
void *mem_alloc(uint64_t len);
void mem_free(void *p, uint64_t len);

/* Shared file mappings become durable: of one object, or of all (the process's end). */
int64_t mem_flush(objid_t id);
void mem_flush_all(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Records of threads (twz/thread.h): their check, and which of two slots counts; pure. A record is
 * media that anything may have written: the functions read no byte outside the slot.
 */
#ifndef LIB_THREADSAVE_H
#define LIB_THREADSAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twz/thread.h>

#define THREADSAVE_SLOT ((size_t)TWZ_THREAD_SLOT_PAGES * TWZ_PAGE_SIZE) /* bytes of a slot */

/* The check of a record of save->size bytes, which must be a multiple of 8. */
uint64_t threadsave_check(const struct twz_thread_save *save);

/* True: the slot holds a whole record of `thread` in a version that is known. */
bool threadsave_is_valid(const struct twz_thread_save *save, objid_t thread);

/* The index of the slot that counts: valid, with the greatest epoch that is not above `committed`.
 * -1: none. slot[i] NULL: it cannot be read. */
int threadsave_choose(const struct twz_thread_save *const slot[TWZ_THREAD_SLOTS], objid_t thread,
                      uint64_t committed);

#endif

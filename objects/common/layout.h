/* SPDX-License-Identifier: MIT */
/*
 * Layout of a record: a small structure that is replaced as a whole. user, kring and kr are
 * records. It lies at the base of its object: the head, then two copies of the structure. One copy
 * is in force, and the other one is zero.
 *
 * CRASH PROTOCOL of a change (record_write). The caller holds `lock`.
 *
 *   step                                      durable before   after a power failure
 *   1        the other copy                   2                the old structure is in force
 *   2 COMMIT current + 1                      3                the new structure is in force
 *   3        zeroes over the old copy         the return       the same; the next change wipes it
 *
 * So a secret that was replaced is gone when the change has returned. A new record has its first
 * structure in copy 1 and current 1, all durable before the COMMIT of its tag (twz_object_addext).
 *
 * TRUST. A program that may write the object can store any bytes. A reader copies the structure out
 * and validates the copy.
 */
#ifndef COMMON_LAYOUT_H
#define COMMON_LAYOUT_H

#include <twz/mutex.h>
#include <twz/object.h>

#define RECORD_SIZE_MAX 4096u

struct record_head {
    /* cache line 0: constant */
    uint64_t magic;   /* of the type */
    uint64_t version; /* of the type's layout */
    uint64_t size;    /* bytes of a copy, a multiple of 64 */
    uint64_t pad0[5];
    /* cache line 1 */
    uint64_t current;      /* COMMIT word: changes so far; copy (current & 1) is in force */
    struct twz_mutex lock; /* of a change; means nothing after a boot */
    uint64_t pad1[6];
};
_Static_assert(sizeof(struct record_head) == 128, "record head size");
_Static_assert(offsetof(struct record_head, current) == 64, "record commit line");

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Records: small structures that are replaced as a whole. The layout and the crash protocol are in
 * common/layout.h. Any thread may call these functions; record_write waits for the record's lock.
 *
 * Errors:
 *   -TWZ_ETYPE      the object is no record of that type
 *   -TWZ_EVERSION   it has another version of the layout
 *   -TWZ_EDAMAGED   its head is damaged
 *   -TWZ_EINVAL     the structure breaks an invariant of the type
 *   -TWZ_EBUSY      a living thread keeps the lock, or changes the record again and again
 *   or the error of a fault (twz/guard.h), or of twz_touch
 */
#ifndef COMMON_RECORD_H
#define COMMON_RECORD_H

#include <common/layout.h>
#include <common/line.h>
#include <common/type.h>

struct record_type {
    uint64_t tag;
    uint64_t magic;
    uint64_t version;
    uint64_t size; /* of the structure */
    /* Report each broken invariant of a structure, with its offset there. Returns their number. */
    int (*inspect)(const void *structure, type_found found, void *ctx);
};

/* Make a record out of a blank object. The caller must call it before it stores a name or a pointer
 * that leads to the object. */
TWZ_CHECKED int record_init(const twzobj *obj, const struct record_type *type, const void *first);

/* Copy the structure in force out. It may break invariants of the type. */
TWZ_CHECKED int record_read(const twzobj *obj, const struct record_type *type, void *out);

/* The same, and -TWZ_EDAMAGED if the structure breaks an invariant. */
TWZ_CHECKED int record_read_valid(const twzobj *obj, const struct record_type *type, void *out);

/* Replace the structure, and wipe the old one. Durable on return. */
TWZ_CHECKED int record_write(const twzobj *obj, const struct record_type *type, const void *in);

/* Check the head and the structure in force. Returns the number of broken invariants. */
TWZ_CHECKED int record_check(const twzobj *obj, const struct record_type *type, type_found found,
                             void *ctx);

/* Helpers of inspect: report `what` unless `good`, and return 1 then; are all bytes 0? */
int record_expect(bool good, type_found found, void *ctx, uint64_t off, const char *what);
bool record_is_zero(const void *bytes, size_t len);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * attr: attributes of named objects. The layout and the crash protocol are in layout.h.
 *
 * The caller must open a table with attr_open. A fault on a page of the table is a fault of the
 * caller; hier and libtwix call these functions under a guard (twz/guard.h). Any thread may call
 * them. attr_new waits for no lock.
 *
 * Errors:
 *   -TWZ_ETYPE      the object is no attribute table
 *   -TWZ_EVERSION   the table has another version of the layout
 *   -TWZ_EFULL      no record is free
 *   or an error of twz_touch
 */
#ifndef ATTR_H
#define ATTR_H

#include <attr/layout.h>
#include <twz/obj.h>

/* The first attributes of a name. */
struct attr_values {
    uint64_t mode; /* as in struct attr_record, as are the others */
    uint64_t mtime_ns;
    uint64_t ctime_ns;
};

/* Make an empty table out of a blank object. The caller must call it before it stores a name or a
 * pointer that leads to the object. ctx is not used: the function may serve as a twz_fill. */
TWZ_CHECKED int attr_init(const twzobj *table, void *ctx);

/* Open a table by its ID and check its header. */
TWZ_CHECKED int attr_open(objid_t id, uint32_t rights, twzobj *table);

/* Returns the record with an index, or NULL if there cannot be one. */
struct attr_record *attr_at(const twzobj *table, uint64_t index);

/* Returns whether the record is that of object `id`, in use or just freed. */
bool attr_is_of(const struct attr_record *record, objid_t id);

/*
 * Take a free record for object `id`, and store the values. If `by` is 0, names is 1 at once. Else
 * `by` is the directory whose intent will store `names`, and the caller holds record->lock on
 * success. The record is durable at the next fence. The table must be open with WRITE.
 * is_busy(dir, index) tells whether directory `dir` has a committed change of that record.
 */
typedef bool (*attr_is_busy)(objid_t dir, uint32_t index);
TWZ_CHECKED int attr_new(const twzobj *table, objid_t id, const struct attr_values *values,
                         objid_t by, attr_is_busy is_busy, uint32_t *index);

/* Free a record that attr_new took with `by` 0, before its name exists. */
void attr_drop(const twzobj *table, uint32_t index);

/* Let the next attr_new look at this record first: it was freed. */
void attr_hint(const twzobj *table, uint32_t index);

/* Copy the values of a record. False if the record is not that of `id`. */
bool attr_get(const struct attr_record *record, objid_t id, struct attr_values *values,
              uint64_t *names);

/* Returns an index behind all records that ever counted a name. */
uint64_t attr_end(const twzobj *table);

/* The lock for the length of object `id`. Several objects share one. */
struct twz_mutex *attr_size_lock(const twzobj *table, objid_t id);

/* Call found(ctx, off, what) for each broken invariant of a table (found may be NULL). Returns
 * their number. The function takes no lock and stores nothing. */
TWZ_CHECKED int attr_check(const twzobj *table,
                           void (*found)(void *ctx, uint64_t off, const char *what), void *ctx);

/* Call line(ctx, text) with text to print. */
TWZ_CHECKED int attr_show(const twzobj *table, void (*line)(void *ctx, const char *text),
                          void *ctx);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The attributes of a file: its record in the attribute table of its volume (objects/attr). A
 * record may come to belong to another object at any time, when the file loses its last name. So
 * each function compares the ID.
 *
 * The functions must be called under a guard (base/guard.h), except record_init.
 */
#ifndef TWIX_RECORD_H
#define TWIX_RECORD_H

#include <hier/hier.h>
#include <stdbool.h>
#include <stdint.h>

/* Where a record lies. index 0: the name has none. */
struct record_ref {
    objid_t table;
    uint32_t index;
    uint32_t pad;
};

/* The record of the object to which a walk led. */
struct record_ref record_of_walk(const struct hier_where *where);

/* Get the attributes of object `id`. *names is the number of its names; 0 if it lost the last one.
 * Returns false, and stores nothing, if the record is not that of the object. */
bool record_get(const struct record_ref *ref, objid_t id, struct attr_values *values,
                uint64_t *names);

/* Store the attributes in `what` and ctime_ns of object `id`, durable on return. Returns false
 * if the record is not that of the object. May block on the record's lock. */
#define RECORD_MODE  1u
#define RECORD_MTIME 2u
bool record_set(const struct record_ref *ref, objid_t id, const struct attr_values *values,
                uint32_t what);

/* Store the time of a write. `length`: also that of a change, and flush both. */
void record_written(const struct record_ref *ref, objid_t id, uint64_t now, bool length);

/* Returns the lock for the length of object `id`. */
struct twz_mutex *record_size_lock(const struct record_ref *ref, objid_t id);

#endif

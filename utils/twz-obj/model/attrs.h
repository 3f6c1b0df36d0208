/* SPDX-License-Identifier: MIT */
/* The attributes of an object, from its entry in the object table and its metadata page. */
#ifndef ATTRS_H
#define ATTRS_H

#include <common/type.h>

#include "posix.h"

struct attrs {
    struct store_stat stat;
    struct twz_meta meta;
    struct attr_values posix; /* zeroes: a twz object, or an object without a name */
    uint64_t names;           /* as its record counts them; 0: it has no record */
    int error;                /* of the metadata page: 0 or -TWZ_E*; then meta and length are 0 */
    uint64_t length;          /* of the whole file, continuations included */
    const struct type *structured; /* NULL: none that is known */
    const char *type;              /* "directory", "file", "object", "view" ... */
};

/* As the index of a record: the attributes of names are not wanted. */
#define ATTRS_UNNAMED UINT32_MAX

/* Read the attributes. `attr` is the index in a name of the object; 0: not known. 0 or -TWZ_E*;
 * damage is not an error here, but sets `error` or stat.damaged. */
int attrs_get(const struct pool *pool, uint32_t row, uint32_t attr, struct attrs *attrs);

/* Bytes of media that the object takes: its pages, and its entry in the object table. */
uint64_t attrs_media(const struct attrs *attrs);

/* "drwxr-xr-x", from type and mode bits. */
#define ATTRS_MODE_TEXT 11
const char *attrs_mode(char text[ATTRS_MODE_TEXT], const struct attrs *attrs);

/* Print the fields id, type, size, mode, perms ... of a JSON entry. */
void attrs_fields(const struct attrs *attrs);

/* The name of a known tag, or NULL. */
const char *attrs_tag(uint64_t tag);

#endif

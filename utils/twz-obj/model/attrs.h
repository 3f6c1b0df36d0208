/* SPDX-License-Identifier: MIT */
/* What there is to say about one object: read from record and metadata page, printed as text or
 * as the fields of a record. */
#ifndef ATTRS_H
#define ATTRS_H

#include "pool.h"

struct attrs {
    struct store_stat stat;
    struct twz_meta meta;
    int error;        /* of the metadata page: 0 or -TWZ_E*; then meta and length are 0 */
    uint64_t length;  /* of the whole file, continuations included */
    const char *type; /* "directory", "file", "object", "view" ... */
};

/* Damage is told in `error` and in stat.damaged, not returned. -TWZ_ENOOBJ and the like. */
int attrs_get(const struct pool *pool, uint32_t row, struct attrs *attrs);

/* Bytes of media: pages, and the record's entry. */
uint64_t attrs_media(const struct attrs *attrs);

/* "drwxr-xr-x" by type and mode bits. */
#define ATTRS_MODE_TEXT 11
const char *attrs_mode(char text[ATTRS_MODE_TEXT], const struct attrs *attrs);

/* Fields id, type, size, mode, perms ... of the open record. */
void attrs_fields(const struct attrs *attrs);

/* The name of an extension tag that this tool knows, else NULL. */
const char *attrs_tag(uint64_t tag);

#endif

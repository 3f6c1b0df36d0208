/* SPDX-License-Identifier: MIT */
/* What there is to say about one object: read from record and metadata page, printed as text or
 * as the fields of a record. */
#ifndef FACTS_H
#define FACTS_H

#include "pool.h"

struct facts {
    struct store_stat stat;
    struct twz_meta meta;
    int error;        /* of the metadata page: 0 or -TWZ_E*; then meta and length are 0 */
    uint64_t length;  /* of the whole file, continuations included */
    const char *type; /* "directory", "file", "object", "view" ... */
};

/* Damage is told in `error` and in stat.damaged, not returned. -TWZ_ENOOBJ and the like. */
int facts_get(const struct pool *pool, uint32_t row, struct facts *facts);

/* Bytes of media: pages, and the record's entry. */
uint64_t facts_media(const struct facts *facts);

/* "drwxr-xr-x" by type and mode bits. */
#define FACTS_MODE_TEXT 11
const char *facts_mode(char text[FACTS_MODE_TEXT], const struct facts *facts);

/* Fields id, type, size, mode, perms ... of the open record. */
void facts_fields(const struct facts *facts);

/* The name of an extension tag that this tool knows, else NULL. */
const char *facts_tag(uint64_t tag);

#endif

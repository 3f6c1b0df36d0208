/* SPDX-License-Identifier: MIT */
/*
 * The types of structured objects: how a tool finds the functions for an object that it knows
 * nothing of. A type is found by the extension tag of the object (twz_object_getext), in a table of
 * this library. No function pointer is ever read from an object. A ku has no tag, because its ID
 * covers all of it: its magic number stands for one.
 *
 * Any thread may call these functions. They take no lock and store nothing.
 */
#ifndef COMMON_TYPE_H
#define COMMON_TYPE_H

#include <twz/obj.h>

/* Report a broken invariant at offset `off` of the object. */
typedef void (*type_found)(void *ctx, uint64_t off, const char *what);

/* Take a line of text to print. */
typedef void (*type_line)(void *ctx, const char *text);

struct type {
    uint64_t tag;      /* 0: none */
    uint64_t magic;    /* the first word at the base */
    const char *name;  /* one word */
    const char *title; /* for people */
    /* Report each broken invariant (found may be NULL). Returns their number, or -TWZ_E*. */
    int (*check)(const twzobj *obj, type_found found, void *ctx);
    /* Call line(ctx, text) for each line. Returns 0 or -TWZ_E*. */
    int (*show)(const twzobj *obj, type_line line, void *ctx);
};

/* Returns the type with a tag, which is not 0, or NULL. */
const struct type *type_of_tag(uint64_t tag);

/* Returns the type of an object, which is open for reading, or NULL. */
const struct type *type_of(const twzobj *obj);

#endif

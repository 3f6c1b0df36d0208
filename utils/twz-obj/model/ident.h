/* SPDX-License-Identifier: MIT */
/*
 * OBJ on the command line: a path, a glob, or the first digits of an ID. A word of 4 or more
 * hexadecimal digits without a '/' is an ID; where a name in the root directory is spelled the
 * same, the word is ambiguous ("/beef" is the name). A glob means all that it matches.
 */
#ifndef IDENT_H
#define IDENT_H

#include <stddef.h>

#include "command.h"
#include "pool.h"

struct ident {
    objid_t id;
    uint32_t row;
    uint32_t kind;    /* HIER_* as its name says; 0: given by ID */
    char *path;       /* as found; NULL: given by ID */
    const char *text; /* as the user wrote it, or path */
};

struct ident_list {
    struct ident *item;
    size_t count;
};

/* Append what `text` means. TOOL_OK, or TOOL_MISSING ... after a message. */
int ident_get(struct tool *tool, const char *text, struct ident_list *list);

/* All operands; where there are none, `otherwise`. */
int ident_all(struct tool *tool, const struct args *args, struct ident_list *list);
int ident_all_or(struct tool *tool, const struct args *args, const char *otherwise,
                 struct ident_list *list);
void ident_free(struct ident_list *list);

/* Exactly one object; a glob that matches several is ambiguous. ident_done afterwards. */
int ident_one(struct tool *tool, const char *text, struct ident *out);
void ident_done(struct ident *ident);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * OBJ on the command line: a path, a glob, or the first digits of an ID. A word of 4 or more
 * hexadecimal digits without a '/' is an ID. If a name in the root directory is spelled the same,
 * the word is ambiguous ("/beef" is the name). A glob stands for all objects that it matches.
 *
 * Functions return TOOL_OK, or an exit code after a message.
 */
#ifndef IDENT_H
#define IDENT_H

#include <stddef.h>

#include "command.h"
#include "pool.h"

struct ident {
    objid_t id;
    uint32_t row;
    uint32_t kind;    /* HIER_*, from the directory entry; 0: given by ID */
    char *path;       /* as found; NULL: given by ID */
    const char *text; /* for messages: path, or the word that the user wrote */
};

struct ident_list {
    struct ident *item;
    size_t count;
};

/* Append the objects that `text` stands for. */
int ident_get(struct tool *tool, const char *text, struct ident_list *list);

/* The objects of all operands; of ident_all_or, `otherwise` if there are none. The caller must call
 * ident_free, also after an error. */
int ident_all(struct tool *tool, const struct args *args, struct ident_list *list);
int ident_all_or(struct tool *tool, const struct args *args, const char *otherwise,
                 struct ident_list *list);
void ident_free(struct ident_list *list);

/* Is the object in the list? */
bool ident_list_has(const struct ident_list *list, objid_t id);

/* Exactly one object; a glob that matches several is ambiguous. The caller must call ident_done. */
int ident_one(struct tool *tool, const char *text, struct ident *out);
void ident_done(struct ident *ident);

#endif

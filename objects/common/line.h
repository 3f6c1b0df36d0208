/* SPDX-License-Identifier: MIT */
/* A line of text that a show function builds. Bytes that could control a terminal become '?'; text
 * that does not fit is left out. */
#ifndef COMMON_LINE_H
#define COMMON_LINE_H

#include <stddef.h>
#include <twz/types.h>

struct line {
    size_t len;
    char text[512]; /* ends with 0 */
};

void line_add(struct line *l, const char *text, size_t len);
void line_add_string(struct line *l, const char *text);
void line_add_decimal(struct line *l, uint64_t value);
void line_add_hex(struct line *l, uint64_t value, uint32_t digits);
void line_add_id(struct line *l, objid_t id); /* "none" for 0 */
void line_clear(struct line *l);

#endif

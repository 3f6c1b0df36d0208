/* SPDX-License-Identifier: MIT */
/*
 * Results on standard output: as text that each command lays out itself, or as JSON.
 *
 *   --json    {"format":1,"objects":[ENTRY,...]} and a newline, also when a command failed
 *   --jsonl   one ENTRY a line
 *
 * An ENTRY is a JSON object with fields; IDs are 32 hexadecimal digits, sizes integers. Where
 * out_is_json() is true, a command must print entries and no text.
 */
#ifndef OUT_H
#define OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twz/types.h>

enum out_mode { OUT_TEXT, OUT_JSON, OUT_JSONL };

void out_mode_set(enum out_mode mode);
bool out_is_json(void);

/* Complete the document and flush it. TOOL_OK, or an exit code after a message. */
int out_close(void);

/* An entry, or a JSON object in a list of an entry. */
void out_begin(void);
void out_end(void);
void out_list_begin(const char *name);
void out_list_end(void);
void out_u64(const char *name, uint64_t value);
void out_bool(const char *name, bool value);
void out_id(const char *name, objid_t id); /* null for 0 */
void out_str(const char *name, const char *text);
void out_bytes(const char *name, const void *bytes, size_t len); /* as a string */
void out_hex(const char *name, uint64_t value); /* 16 digits as a string: JSON has no such number */

/* --- text ---------------------------------------------------------------------------------- */

/* Is standard output a terminal? */
bool out_terminal(void);

/* Begin and end of a colour (an SGR number); "" if standard output is no terminal, or NO_COLOR. */
const char *out_colour(int sgr);
const char *out_plain(void);

/* Print a name; bytes that could control a terminal or break a line become \xHH. */
void out_name(const char *name);

#define OUT_ID_TEXT 33
/* The first `digits` digits of an ID, 32: all. */
const char *out_id_text(char text[OUT_ID_TEXT], objid_t id, int digits);

#define OUT_SIZE_TEXT 24
/* Bytes as an integer, or with a unit ("1.5M"). */
const char *out_size_text(char text[OUT_SIZE_TEXT], uint64_t bytes, bool human);

#define OUT_TIME_TEXT 24
const char *out_time_text(char text[OUT_TIME_TEXT], uint64_t ns);

/* "rwxud", with - for each permission that is absent. */
#define OUT_PERMS_TEXT 6
const char *out_perms_text(char text[OUT_PERMS_TEXT], uint32_t perms);

/* Progress of a long copy, on standard error if that is a terminal. total 0: unknown. */
struct out_progress {
    const char *what;
    uint64_t total;
    uint64_t shown_ns;
    bool on;
};
void out_progress_start(struct out_progress *p, const char *what, uint64_t total);
void out_progress(struct out_progress *p, uint64_t done);
void out_progress_end(struct out_progress *p);

#endif

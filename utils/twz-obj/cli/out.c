/* SPDX-License-Identifier: MIT */
/*
 * The process prints one document; `state` says whether a comma is due at each depth. Strings are
 * UTF-8. A byte that is not part of a valid sequence becomes a lone surrogate U+DC80..U+DCFF, as
 * Python's surrogateescape reads it.
 */
#include "out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <twz/types.h>
#include <unistd.h>

#include "fail.h"

#define OUT_DEPTH 8

static struct {
    enum out_mode mode;
    bool started; /* the head of the document is printed */
    int depth;
    bool comma[OUT_DEPTH]; /* this depth has an element already */
} state;

void out_mode_set(enum out_mode mode)
{
    state.mode = mode;
}

bool out_is_json(void)
{
    return state.mode != OUT_TEXT;
}

static void print_document_head(void)
{
    if (!state.started && state.mode == OUT_JSON)
        fputs("{\"format\":1,\"objects\":[", stdout);
    state.started = true;
}

int out_close(void)
{
    if (state.mode == OUT_JSON) {
        print_document_head();
        fputs("]}\n", stdout);
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        return fail_host("standard output");
    return TOOL_OK;
}

static void print_comma(void)
{
    if (state.comma[state.depth] && !(state.depth == 0 && state.mode == OUT_JSONL))
        putchar(',');
    state.comma[state.depth] = true;
}

static void open_bracket(char bracket)
{
    putchar(bracket);
    if (state.depth < OUT_DEPTH - 1)
        state.depth++;
    state.comma[state.depth] = false;
}

void out_begin(void)
{
    print_document_head();
    print_comma();
    open_bracket('{');
}

void out_end(void)
{
    putchar('}');
    state.depth--;
    if (state.depth == 0 && state.mode == OUT_JSONL)
        putchar('\n');
}

/* The length of the valid UTF-8 sequence at p; 0: there is none. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t min;
    } form[] = {
        { 0x80, 0, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 }
    };

    for (size_t n = 1; n <= 4 && n <= left; n++) {
        uint32_t c;
        bool valid;

        if ((p[0] & form[n - 1].mask) != form[n - 1].lead)
            continue;
        c = p[0] & (unsigned char)~form[n - 1].mask;
        for (size_t i = 1; i < n; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (p[i] & 0x3fu);
        }
        valid = c >= form[n - 1].min && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        return valid ? n : 0;
    }
    return 0;
}

/* A JSON string, with invalid UTF-8 and control characters escaped. */
static void print_json_string(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;

    putchar('"');
    for (size_t i = 0; i < len;) {
        size_t n = utf8_len(p + i, len - i);

        if (n == 0) {
            printf("\\udc%02x", p[i]);
            n = 1;
        } else if (n == 1 && (p[i] < ' ' || p[i] == 0x7f)) {
            printf("\\u%04x", p[i]);
        } else {
            if (p[i] == '"' || p[i] == '\\')
                putchar('\\');
            fwrite(p + i, 1, n, stdout);
        }
        i += n;
    }
    putchar('"');
}

static void print_field_name(const char *name)
{
    print_comma();
    print_json_string(name, strlen(name));
    putchar(':');
}

void out_list_begin(const char *name)
{
    print_field_name(name);
    open_bracket('[');
}

void out_list_end(void)
{
    putchar(']');
    state.depth--;
}

void out_u64(const char *name, uint64_t value)
{
    print_field_name(name);
    printf("%llu", (unsigned long long)value);
}

void out_bool(const char *name, bool value)
{
    print_field_name(name);
    fputs(value ? "true" : "false", stdout);
}

void out_id(const char *name, objid_t id)
{
    char text[OUT_ID_TEXT];

    print_field_name(name);
    if (objid_is_none(id))
        fputs("null", stdout);
    else
        printf("\"%s\"", out_id_text(text, id, 32));
}

void out_bytes(const char *name, const void *bytes, size_t len)
{
    print_field_name(name);
    print_json_string(bytes, len);
}

void out_str(const char *name, const char *text)
{
    out_bytes(name, text, strlen(text));
}

void out_hex(const char *name, uint64_t value)
{
    print_field_name(name);
    printf("\"%016llx\"", (unsigned long long)value);
}

/* --- text ---------------------------------------------------------------------------------- */

bool out_terminal(void)
{
    static int terminal = -1;

    if (terminal < 0)
        terminal = isatty(STDOUT_FILENO);
    return terminal == 1;
}

static bool has_colours(void)
{
    static int on = -1;

    if (on < 0) {
        const char *no = getenv("NO_COLOR");

        on = out_terminal() && !(no && *no);
    }
    return on == 1;
}

const char *out_colour(int sgr)
{
    static char text[16];

    if (!has_colours())
        return "";
    snprintf(text, sizeof(text), "\033[%dm", sgr);
    return text;
}

const char *out_plain(void)
{
    return has_colours() ? "\033[0m" : "";
}

void out_name(const char *name)
{
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        if (*p < ' ' || *p == 0x7f)
            printf("\\x%02x", *p);
        else
            putchar(*p);
    }
}

const char *out_id_text(char text[OUT_ID_TEXT], objid_t id, int digits)
{
    snprintf(text, OUT_ID_TEXT, "%016llx%016llx", (unsigned long long)id.hi,
             (unsigned long long)id.lo);
    if (digits < 32)
        text[digits] = '\0';
    return text;
}

const char *out_size_text(char text[OUT_SIZE_TEXT], uint64_t bytes, bool human)
{
    const char *unit;
    uint64_t scale = 1024;
    uint64_t tenths;

    if (!human || bytes < 1024) {
        snprintf(text, OUT_SIZE_TEXT, "%llu", (unsigned long long)bytes);
        return text;
    }
    unit = "KMGT";
    while (unit[1] && bytes / scale >= 1024) {
        scale *= 1024;
        unit++;
    }
    tenths = (bytes * 10 + scale - 1) / scale;
    if (tenths < 100)
        snprintf(text, OUT_SIZE_TEXT, "%llu.%llu%c", (unsigned long long)(tenths / 10),
                 (unsigned long long)(tenths % 10), *unit);
    else
        snprintf(text, OUT_SIZE_TEXT, "%llu%c", (unsigned long long)((tenths + 9) / 10), *unit);
    return text;
}

const char *out_time_text(char text[OUT_TIME_TEXT], uint64_t ns)
{
    time_t seconds = (time_t)(ns / 1000000000u);
    struct tm tm;

    if (ns == 0 || !localtime_r(&seconds, &tm) ||
        strftime(text, OUT_TIME_TEXT, "%Y-%m-%d %H:%M", &tm) == 0)
        snprintf(text, OUT_TIME_TEXT, "---------- --:--");
    return text;
}

const char *out_perms_text(char text[OUT_PERMS_TEXT], uint32_t perms)
{
    static const struct {
        uint32_t bit;
        char letter;
    } all[] = {
        { TWZ_READ, 'r' }, { TWZ_WRITE, 'w' }, { TWZ_EXEC, 'x' }, { TWZ_USE, 'u' }, { TWZ_DEL, 'd' }
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        text[i] = perms & all[i].bit ? all[i].letter : '-';
    text[5] = '\0';
    return text;
}

/* --- progress ------------------------------------------------------------------------------ */

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void out_progress_start(struct out_progress *p, const char *what, uint64_t total)
{
    *p = (struct out_progress){ .what = what, .total = total, .on = isatty(STDERR_FILENO) == 1 };
    p->shown_ns = p->on ? now_ns() : 0;
}

void out_progress(struct out_progress *p, uint64_t done)
{
    uint64_t now;
    char size[OUT_SIZE_TEXT];

    if (!p->on)
        return;
    now = now_ns();
    if (now - p->shown_ns < 200000000u)
        return;
    p->shown_ns = now;
    out_size_text(size, done, true);
    if (p->total)
        fprintf(stderr, "\r%s: %s, %llu %% \033[K", p->what, size,
                (unsigned long long)(done * 100 / p->total));
    else
        fprintf(stderr, "\r%s: %s \033[K", p->what, size);
}

void out_progress_end(struct out_progress *p)
{
    if (p->on)
        fputs("\r\033[K", stderr);
}

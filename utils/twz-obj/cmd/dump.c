/* SPDX-License-Identifier: MIT */
/* fot, dump, diff: print the tables and bytes of objects. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "command.h"
#include "content.h"
#include "attrs.h"
#include "ident.h"
#include "ids.h"
#include "names.h"
#include "out.h"
#include "pool.h"
#include "refs.h"
#include "text.h"

/* --- fot ----------------------------------------------------------------------------------- */

struct fot_list {
    struct tool *tool;
    bool damaged; /* an entry cannot be read; after a warning */
};

/* Print the target: an ID, "unresolved" for a name that means no object, and the name. */
static void print_target(struct pool *pool, const struct ref *ref)
{
    char id[OUT_ID_TEXT];

    if (objid_is_none(ref->to))
        fputs("unresolved", stdout);
    else
        fputs(out_id_text(id, ref->to, ids_shown(pool, ref->to)), stdout);
    if (ref->by_name)
        fputs(ref->path ? "  by name " : "  by name, but the entry locates no name", stdout);
    if (ref->path)
        out_name(ref->path);
    putchar('\n');
}

/* A refs_visitor for the references of one object: print its entries. */
static int print_fot_entry(void *ctx, const struct ref *ref)
{
    struct fot_list *list = ctx;
    char perms[OUT_PERMS_TEXT];

    if (ref->kind == REF_GAP) {
        refs_warn_gap(ref);
        list->damaged = true;
    }
    if (ref->kind != REF_FOT)
        return 0;
    if (out_is_json()) {
        out_begin();
        out_u64("index", ref->index);
        out_id("target", ref->to);
        out_str("perms", out_perms_text(perms, ref->rights));
        if (ref->path)
            out_str("name", ref->path);
        out_bool("unresolved", objid_is_none(ref->to));
        out_end();
        return 0;
    }
    printf("%6u  %.3s  ", ref->index, out_perms_text(perms, ref->rights));
    print_target(list->tool->pool, ref);
    return 0;
}

/* The table of one object; `header`: its name first. */
static int print_fot(struct tool *tool, const struct ident *item, bool header)
{
    struct fot_list list = { .tool = tool };
    struct twz_meta meta;
    int err = content_meta(tool->pool, item->row, &meta);

    if (err < 0)
        return fail_twz(item->text, err);
    if (out_is_json()) {
        out_begin();
        if (item->path)
            out_str("path", item->path);
        out_id("id", item->id);
        out_u64("count", meta.fot_count);
        out_list_begin("entries");
    } else if (header) {
        out_name(item->text);
        puts(":");
    }
    err = refs_from(tool->pool, item->row, print_fot_entry, &list);
    if (out_is_json()) {
        out_list_end();
        out_end();
    }
    if (err < 0)
        return fail_twz(item->text, err);
    return list.damaged ? TOOL_DAMAGED : TOOL_OK;
}

int cmd_fot(struct tool *tool, const struct args *args)
{
    struct ident_list list;
    int err = ident_all(tool, args, &list);

    for (size_t i = 0; i < list.count; i++)
        err = fail_first(err, print_fot(tool, &list.item[i], list.count > 1));
    ident_free(&list);
    return err;
}

/* --- dump ---------------------------------------------------------------------------------- */

#define DUMP_LINE 16u

struct dump {
    const struct pool *pool;
    uint32_t row;
    uint8_t last[DUMP_LINE]; /* the line before, to leave out repetitions */
    bool have_last, starred;
};

/* One line of up to DUMP_LINE bytes; lines that repeat the one before become one "*". */
static void dump_line(struct dump *dump, uint64_t off, const uint8_t *bytes, size_t len)
{
    if (len == DUMP_LINE && dump->have_last && memcmp(bytes, dump->last, DUMP_LINE) == 0) {
        if (!dump->starred)
            puts("*");
        dump->starred = true;
        return;
    }
    dump->starred = false;
    dump->have_last = len == DUMP_LINE;
    memcpy(dump->last, bytes, len);
    printf("%08llx ", (unsigned long long)off);
    for (size_t i = 0; i < DUMP_LINE; i++) {
        if (i < len)
            printf("%s%02x", i == 8 ? "  " : " ", bytes[i]);
        else
            fputs(i == 8 ? "    " : "   ", stdout);
    }
    fputs("  |", stdout);
    for (size_t i = 0; i < len; i++)
        putchar(bytes[i] < 0x7f && isprint(bytes[i]) ? bytes[i] : '.');
    puts("|");
}

/* Print one line for a page without bytes, and set *end to its end. False: the page has bytes. */
static bool dump_absent(struct dump *dump, uint64_t off, uint64_t *end)
{
    static const char *const why[] = { "", "absent", "hole", "", "", "poisoned", "elsewhere" };
    struct store_page at;
    uint32_t page = (uint32_t)(off / TWZ_PAGE_SIZE);
    const char *text;

    if (store_page_get(dump->pool->store, dump->row, page, &at) < 0)
        text = "damaged";
    else if (at.state == STORE_PRESENT || at.state == STORE_SHARED)
        return false;
    else
        text = at.state < 7 ? why[at.state] : "unknown";
    *end = (uint64_t)(page + 1) * TWZ_PAGE_SIZE;
    if (at.state == STORE_ABSENT) {
        struct store_page next = { .page = page };
        bool more = store_page_next(dump->pool->store, dump->row, &next) >= 0;

        *end = (uint64_t)(more ? next.page : TWZ_PAGE_RECORD) * TWZ_PAGE_SIZE;
    }
    printf("%08llx  (%s)\n", (unsigned long long)off, text);
    dump->have_last = false;
    return true;
}

/* The range as text, page by page. */
static int dump_text(struct tool *tool, const struct ident *item, uint64_t off, uint64_t len)
{
    struct dump dump = { .pool = tool->pool, .row = item->row };
    uint64_t end = off + len;

    while (off < end) {
        uint8_t bytes[DUMP_LINE];
        uint64_t nothing;
        size_t n;
        int err;

        if (dump_absent(&dump, off, &nothing)) {
            off = nothing;
            continue;
        }
        n = DUMP_LINE - off % DUMP_LINE;
        n = end - off < n ? (size_t)(end - off) : n;
        err = content_read(tool->pool, item->row, off, bytes, n);
        if (err < 0)
            return fail_twz(item->text, err);
        dump_line(&dump, off, bytes, n);
        off += n;
    }
    printf("%08llx\n", (unsigned long long)end);
    return TOOL_OK;
}

/* The range as one JSON entry. */
static int dump_json(struct tool *tool, const struct ident *item, uint64_t off, uint64_t len)
{
    uint8_t *bytes = malloc(len + 1);
    char *hex = malloc(2 * len + 1);
    int err = bytes && hex ? content_read(tool->pool, item->row, off, bytes, len) : -TWZ_ENOMEM;

    if (err >= 0) {
        static const char digit[] = "0123456789abcdef";

        for (uint64_t i = 0; i < len; i++) {
            hex[2 * i] = digit[bytes[i] >> 4];
            hex[2 * i + 1] = digit[bytes[i] & 15];
        }
        out_begin();
        out_id("id", item->id);
        out_u64("offset", off);
        out_u64("length", len);
        out_bytes("hex", hex, 2 * len);
        out_end();
    }
    free(hex);
    free(bytes);
    return err < 0 ? fail_twz(item->text, err) : TOOL_OK;
}

/* Cut ":OFF" or ":OFF+LEN" off the end of OBJ. False: the text behind the colon is no range. */
static bool split_range(char *text, uint64_t *off, uint64_t *len, bool *has_off, bool *has_len)
{
    char hex[33];
    char *colon = strrchr(text, ':');
    char *plus;

    *has_off = *has_len = false;
    if (!colon || (colon - text == 16 && ids_prefix(text, hex) == 32))
        return true;
    plus = strchr(colon, '+');
    if (plus)
        *plus = '\0';
    *has_len = plus && text_size(plus + 1, len);
    *has_off = text_size(colon + 1, off);
    *colon = '\0';
    return *has_off && (!plus || *has_len);
}

/* Dump the range that was given; default: the data, or the metadata page. */
static int dump_range(struct tool *tool, const struct args *args, const struct ident *item,
                      const uint64_t *off_given, const uint64_t *len_given)
{
    struct twz_meta meta;
    bool whole_page = args_flag(args, "meta");
    int err = content_meta(tool->pool, item->row, &meta);
    uint64_t off;
    uint64_t end;

    if (err < 0 && !whole_page && !len_given)
        return fail_twz(item->text, err);
    off = whole_page ? TWZ_OBJ_META : TWZ_OBJ_BASE;
    end = whole_page ? TWZ_OBJ_META + TWZ_PAGE_SIZE : TWZ_OBJ_BASE + meta.size;
    if (off_given) {
        off = *off_given;
        end = end > off ? end : off + TWZ_PAGE_SIZE;
    }
    if (len_given)
        end = *len_given > TWZ_OBJ_SIZE ? UINT64_MAX : off + *len_given;
    if (off < TWZ_OBJ_BASE || off > TWZ_OBJ_RECORD || end > TWZ_OBJ_RECORD)
        return fail(TOOL_USAGE, "dump: out of range: only bytes 4096 to %llu can be dumped",
                    (unsigned long long)TWZ_OBJ_RECORD);
    return out_is_json() ? dump_json(tool, item, off, end - off)
                         : dump_text(tool, item, off, end - off);
}

int cmd_dump(struct tool *tool, const struct args *args)
{
    struct ident item;
    uint64_t off = 0;
    uint64_t len = 0;
    bool has_off, has_len;
    char *text = strdup(args->argv[0]);
    int err = TOOL_OK;

    if (!text)
        return fail(TOOL_FULL, "out of memory");
    if (!split_range(text, &off, &len, &has_off, &has_len))
        err = fail(TOOL_USAGE, "%s: not a range: write OBJ:OFF or OBJ:OFF+LEN", args->argv[0]);
    if (err == TOOL_OK)
        err = ident_one(tool, text, &item);
    if (err == TOOL_OK) {
        err = dump_range(tool, args, &item, has_off ? &off : NULL, has_len ? &len : NULL);
        ident_done(&item);
    }
    free(text);
    return err;
}

/* --- diff ---------------------------------------------------------------------------------- */

/* Find the first offset in [0, len) of the data where two objects differ; len: there is none. */
static int first_difference(const struct pool *pool, const struct ident *a, const struct ident *b,
                            uint64_t len, uint64_t *at)
{
    for (*at = 0; *at < len;) {
        const uint8_t *x;
        const uint8_t *y;
        uint32_t page = 1 + (uint32_t)(*at / TWZ_PAGE_SIZE);
        uint64_t n = len - *at < TWZ_PAGE_SIZE ? len - *at : TWZ_PAGE_SIZE;
        int err = content_page(pool, a->row, page, &x);
        uint64_t i = 0;

        if (err >= 0)
            err = content_page(pool, b->row, page, &y);
        if (err < 0)
            return err;
        while (i < n && (x == y || x[i] == y[i]))
            i = x == y ? n : i + 1;
        *at += i;
        if (i < n)
            return 0;
    }
    return 0;
}

int cmd_diff(struct tool *tool, const struct args *args)
{
    struct ident_list list;
    struct twz_meta meta[2];
    uint64_t at = 0;
    int err = ident_all(tool, args, &list);
    int got = 0;

    if (err == TOOL_OK && list.count != 2)
        err = fail(TOOL_MISSING, "diff: needs two objects, but %zu match", list.count);
    for (size_t i = 0; err == TOOL_OK && got >= 0 && i < 2; i++)
        got = content_meta(tool->pool, list.item[i].row, &meta[i]);
    if (err == TOOL_OK && got >= 0) {
        uint64_t len = meta[0].size < meta[1].size ? meta[0].size : meta[1].size;

        got = first_difference(tool->pool, &list.item[0], &list.item[1], len, &at);
    }
    if (err == TOOL_OK && got < 0)
        err = fail_twz("diff", got);
    if (err == TOOL_OK) {
        bool same = meta[0].size == meta[1].size && at == meta[0].size;

        err = same ? TOOL_OK : TOOL_NO;
        if (out_is_json()) {
            out_begin();
            out_bool("same", same);
            if (!same)
                out_u64("offset", at);
            out_end();
        } else if (!same && !args_flag(args, "exit-code")) {
            printf("differ at byte %llu of the data; sizes %llu and %llu\n", (unsigned long long)at,
                   (unsigned long long)meta[0].size, (unsigned long long)meta[1].size);
        }
    }
    ident_free(&list);
    return err;
}

/* SPDX-License-Identifier: MIT */
/* stat and info: print an object's attributes, in short and in full. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "content.h"
#include "attrs.h"
#include "ident.h"
#include "ids.h"
#include "names.h"
#include "out.h"
#include "pool.h"

static void print_id_line(const char *what, objid_t id)
{
    char text[OUT_ID_TEXT];

    if (!objid_is_none(id))
        printf("  %-10s %s\n", what, out_id_text(text, id, 32));
}

static void print_u64_line(const char *what, uint64_t value)
{
    printf("  %-10s %llu\n", what, (unsigned long long)value);
}

static void print_time_line(const char *what, uint64_t ns)
{
    char text[OUT_TIME_TEXT];

    if (ns)
        printf("  %-10s %s\n", what, out_time_text(text, ns));
}

/* The text of stat; info begins with it. */
static void print_stat(const struct ident *item, const struct attrs *attrs)
{
    char perms[OUT_PERMS_TEXT];
    char mode[ATTRS_MODE_TEXT];

    out_name(item->text);
    putchar('\n');
    print_id_line("id", attrs->stat.id);
    printf("  %-10s %s\n", "type", attrs->type);
    if (attrs->error < 0)
        printf("  %-10s metadata page: %s\n", "damage", fail_text(attrs->error));
    print_u64_line("size", attrs->length);
    print_u64_line("pages", attrs->stat.pages);
    printf("  %-10s %s\n", "perms", out_perms_text(perms, attrs->stat.perms));
    if ((attrs->stat.flags & STORE_OBJ_SEALED) != 0)
        print_id_line("sealed, by", attrs->stat.hash_tree);
    if (attrs->posix.mode)
        printf("  %-10s %s (%llo)\n", "mode", attrs_mode(mode, attrs),
               (unsigned long long)attrs->posix.mode);
    if (attrs->names > 1)
        print_u64_line("names", attrs->names);
    print_time_line("modified", attrs->posix.mtime_ns);
    print_time_line("changed", attrs->posix.ctime_ns);
}

/* --- info: what stat does not print -------------------------------------------------------- */

static void print_type_line(void *ctx, const char *text)
{
    (void)ctx;
    fputs("    ", stdout);
    out_name(text);
    putchar('\n');
}

/* The lines that the type of a structured object prints. */
static void print_structure(const struct attrs *attrs)
{
    twzobj obj;
    int err;

    if (!attrs->structured || twz_object_init_guid(&obj, attrs->stat.id, TWZ_READ) < 0)
        return;
    printf("  %-10s\n", attrs->structured->name);
    err = attrs->structured->show(&obj, print_type_line, NULL);
    if (err < 0)
        print_type_line(NULL, fail_text(err));
    twz_object_release(&obj);
}

/* Did anything write the metadata page? A program's object need not have the magic number. */
static bool is_written(const struct twz_meta *meta)
{
    static const struct twz_meta never;

    return memcmp(meta, &never, sizeof(never)) != 0;
}

/* The rest of the entry in the object table and of the metadata page. */
static void print_info(const struct attrs *attrs)
{
    const struct store_stat *stat = &attrs->stat;
    const struct twz_meta *meta = &attrs->meta;
    static const char *const state[] = { "unknown", "free", "provisional", "live", "dead" };
    static const char *const persist[] = { "explicit", "at release", "periodic" };

    printf("  %-10s %016llx%016llx\n", "nonce", (unsigned long long)stat->nonce[1],
           (unsigned long long)stat->nonce[0]);
    print_id_line("kuid", stat->kuid);
    print_id_line("account", stat->account);
    print_id_line("tied to", stat->tie_parent);
    if (stat->state == STORE_PROVISIONAL)
        print_id_line("witness", stat->witness);
    printf("  %-10s %s\n", "state", state[stat->state < 5 ? stat->state : 0]);
    printf("  %-10s %s\n", "persists", stat->persist < 3 ? persist[stat->persist] : "unknown");
    print_u64_line("revoked", stat->revoke_epoch);
    printf("  %-10s %s\n", "metadata", is_written(meta) ? "written" : "never written");
    if (meta->type)
        printf("  %-10s fingerprint %016llx, version %llu\n", "typed",
               (unsigned long long)meta->type, (unsigned long long)meta->type_version);
    printf("  %-10s %llu of %u entries\n", "fot", (unsigned long long)meta->fot_count, TWZ_FOT_MAX);
    if (meta->next)
        printf("  %-10s fot %llu, offset %llu\n", "continued",
               (unsigned long long)TWZ_PPTR_FOT(meta->next),
               (unsigned long long)TWZ_PPTR_OFF(meta->next));
    for (unsigned i = 0; i < TWZ_EXT_MAX; i++) {
        const char *name = attrs_tag(meta->ext[i].tag);

        if (meta->ext[i].tag)
            printf("  %-10s %016llx%s%s%s at offset %llu\n", "tag",
                   (unsigned long long)meta->ext[i].tag, name ? " (" : "", name ? name : "",
                   name ? ")" : "", (unsigned long long)meta->ext[i].off);
    }
    print_structure(attrs);
}

/* The same as fields of a JSON entry. */
static void out_info_fields(const struct attrs *attrs)
{
    const struct twz_meta *meta = &attrs->meta;
    char nonce[33];

    snprintf(nonce, sizeof(nonce), "%016llx%016llx", (unsigned long long)attrs->stat.nonce[1],
             (unsigned long long)attrs->stat.nonce[0]);
    out_str("nonce", nonce);
    out_id("account", attrs->stat.account);
    out_bool("sealed", (attrs->stat.flags & STORE_OBJ_SEALED) != 0);
    out_id("tree", attrs->stat.hash_tree);
    out_bool("metadata", is_written(meta));
    out_hex("fingerprint", meta->type);
    out_u64("type_version", meta->type_version);
    out_list_begin("tags");
    for (unsigned i = 0; i < TWZ_EXT_MAX; i++) {
        const char *name = attrs_tag(meta->ext[i].tag);

        if (!meta->ext[i].tag)
            continue;
        out_begin();
        out_hex("tag", meta->ext[i].tag);
        if (name)
            out_str("name", name);
        out_u64("offset", meta->ext[i].off);
        out_end();
    }
    out_list_end();
}

/* Print the attributes of all operands; `full`: info. */
static int print_all(struct tool *tool, const struct args *args, bool full)
{
    struct ident_list list;
    int err = ident_all(tool, args, &list);

    for (size_t i = 0; i < list.count; i++) {
        struct attrs attrs;
        const struct ident *item = &list.item[i];
        int got = attrs_get(tool->pool, item->row, 0, &attrs);

        if (got < 0) {
            err = fail_first(err, fail_twz(item->text, got));
            continue;
        }
        if (out_is_json()) {
            out_begin();
            if (item->path)
                out_str("path", item->path);
            attrs_fields(&attrs);
            if (full)
                out_info_fields(&attrs);
            out_end();
        } else {
            print_stat(item, &attrs);
            if (full)
                print_info(&attrs);
        }
        if (attrs.error < 0 || attrs.stat.damaged)
            err = fail_first(err, TOOL_DAMAGED);
    }
    ident_free(&list);
    return err;
}

int cmd_stat(struct tool *tool, const struct args *args)
{
    return print_all(tool, args, false);
}

int cmd_info(struct tool *tool, const struct args *args)
{
    return print_all(tool, args, true);
}

/* SPDX-License-Identifier: MIT */
/* stat and info: one object's facts, in short and in full. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "content.h"
#include "facts.h"
#include "ident.h"
#include "ids.h"
#include "names.h"
#include "out.h"
#include "pool.h"

static void line_id(const char *what, objid_t id)
{
    char text[OUT_ID_TEXT];

    if (!objid_is_none(id))
        printf("  %-10s %s\n", what, out_id_text(text, id, 32));
}

static void line_u64(const char *what, uint64_t value)
{
    printf("  %-10s %llu\n", what, (unsigned long long)value);
}

static void line_time(const char *what, uint64_t ns)
{
    char text[OUT_TIME_TEXT];

    if (ns)
        printf("  %-10s %s\n", what, out_time_text(text, ns));
}

static void stat_text(const struct ident *item, const struct facts *facts)
{
    char perms[OUT_PERMS_TEXT];
    char mode[FACTS_MODE_TEXT];

    out_name(item->text);
    putchar('\n');
    line_id("id", facts->stat.id);
    printf("  %-10s %s\n", "type", facts->type);
    if (facts->error < 0)
        printf("  %-10s metadata page: %s\n", "damage", fail_text(facts->error));
    line_u64("size", facts->length);
    line_u64("pages", facts->stat.pages);
    printf("  %-10s %s\n", "perms", out_perms_text(perms, facts->stat.perms));
    if (facts->meta.mode)
        printf("  %-10s %s (%llo)\n", "mode", facts_mode(mode, facts),
               (unsigned long long)facts->meta.mode);
    if (facts->meta.links)
        line_u64("names", facts->meta.links + 1);
    line_time("modified", facts->meta.mtime_ns);
    line_time("changed", facts->meta.ctime_ns);
}

/* --- info: what stat has not --------------------------------------------------------------- */

static void directory_line(void *ctx, const char *text)
{
    (void)ctx;
    fputs("    ", stdout);
    out_name(text);
    putchar('\n');
}

static void directory_text(objid_t id)
{
    twzobj dir;

    if (twz_object_init_guid(&dir, id, TWZ_READ) < 0)
        return;
    if (hier_probe(&dir) >= 0) {
        printf("  %-10s\n", "directory");
        (void)!hier_show(&dir, directory_line, NULL);
    }
    twz_object_release(&dir);
}

static void info_text(const struct facts *facts)
{
    const struct store_stat *stat = &facts->stat;
    const struct twz_meta *meta = &facts->meta;
    static const char *const state[] = { "unknown", "free", "provisional", "live", "dead" };
    static const char *const persist[] = { "explicit", "at release", "periodic" };

    printf("  %-10s %016llx%016llx\n", "nonce", (unsigned long long)stat->nonce[1],
           (unsigned long long)stat->nonce[0]);
    line_id("kuid", stat->kuid);
    line_id("account", stat->account);
    line_id("tied to", stat->tie_parent);
    if (stat->state == STORE_PROVISIONAL)
        line_id("witness", stat->witness);
    printf("  %-10s %s\n", "state", state[stat->state < 5 ? stat->state : 0]);
    printf("  %-10s %s\n", "persists", stat->persist < 3 ? persist[stat->persist] : "unknown");
    line_u64("revoked", stat->revoke_epoch);
    printf("  %-10s %s\n", "metadata", meta->magic ? "written" : "never written");
    if (meta->type)
        printf("  %-10s fingerprint %016llx, version %llu\n", "typed",
               (unsigned long long)meta->type, (unsigned long long)meta->type_version);
    printf("  %-10s %llu of %u entries\n", "fot", (unsigned long long)meta->fot_count, TWZ_FOT_MAX);
    if (meta->next)
        printf("  %-10s fot %llu, offset %llu\n", "continued",
               (unsigned long long)TWZ_PPTR_FOT(meta->next),
               (unsigned long long)TWZ_PPTR_OFF(meta->next));
    for (unsigned i = 0; i < TWZ_EXT_MAX; i++) {
        const char *name = facts_tag(meta->ext[i].tag);

        if (meta->ext[i].tag)
            printf("  %-10s %016llx%s%s%s at offset %llu\n", "tag",
                   (unsigned long long)meta->ext[i].tag, name ? " (" : "", name ? name : "",
                   name ? ")" : "", (unsigned long long)meta->ext[i].off);
    }
    if (strcmp(facts->type, "directory") == 0)
        directory_text(stat->id);
}

static void info_fields(const struct facts *facts)
{
    const struct twz_meta *meta = &facts->meta;
    char nonce[33];

    snprintf(nonce, sizeof(nonce), "%016llx%016llx", (unsigned long long)facts->stat.nonce[1],
             (unsigned long long)facts->stat.nonce[0]);
    out_str("nonce", nonce);
    out_id("account", facts->stat.account);
    out_bool("metadata", meta->magic != 0);
    out_hex("fingerprint", meta->type);
    out_u64("type_version", meta->type_version);
    out_list_begin("tags");
    for (unsigned i = 0; i < TWZ_EXT_MAX; i++) {
        const char *name = facts_tag(meta->ext[i].tag);

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

static int show(struct tool *tool, const struct args *args, bool full)
{
    struct ident_list list;
    int err = ident_all(tool, args, &list);

    for (size_t i = 0; i < list.count; i++) {
        struct facts facts;
        const struct ident *item = &list.item[i];
        int got = facts_get(tool->pool, item->row, &facts);

        if (got < 0) {
            err = fail_first(err, fail_twz(item->text, got));
            continue;
        }
        if (out_records()) {
            out_begin();
            if (item->path)
                out_str("path", item->path);
            facts_fields(&facts);
            if (full)
                info_fields(&facts);
            out_end();
        } else {
            stat_text(item, &facts);
            if (full)
                info_text(&facts);
        }
        if (facts.error < 0 || facts.stat.damaged)
            err = fail_first(err, TOOL_DAMAGED);
    }
    ident_free(&list);
    return err;
}

int cmd_stat(struct tool *tool, const struct args *args)
{
    return show(tool, args, false);
}

int cmd_info(struct tool *tool, const struct args *args)
{
    return show(tool, args, true);
}

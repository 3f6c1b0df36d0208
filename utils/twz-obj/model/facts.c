/* SPDX-License-Identifier: MIT */
/* Facts about one object, from its record and its metadata page. */
#include "facts.h"

#include <hier/layout.h>
#include <string.h>
#include <twz/error.h>

#include "content.h"
#include "fail.h"
#include "out.h"

const char *facts_tag(uint64_t tag)
{
    return tag == HIER_TAG ? "hier" : NULL;
}

static bool has_tag(const struct twz_meta *meta, uint64_t tag)
{
    for (unsigned i = 0; i < TWZ_EXT_MAX; i++) {
        if (meta->ext[i].tag == tag)
            return true;
    }
    return false;
}

static const char *type_of(const struct facts *facts)
{
    static const char *const kind[] = { "object", "view",   "thread",        "context",
                                        "root",   "device", "KSO directory", "system" };

    if (facts->stat.damaged || facts->error < 0)
        return "damaged";
    if (facts->stat.kind != TWZ_KIND_DATA)
        return facts->stat.kind < sizeof(kind) / sizeof(kind[0]) ? kind[facts->stat.kind]
                                                                 : "unknown";
    if (has_tag(&facts->meta, HIER_TAG))
        return "directory";
    return facts->meta.mode ? "file" : "object";
}

int facts_get(const struct pool *pool, uint32_t row, struct facts *facts)
{
    int err;

    memset(facts, 0, sizeof(*facts));
    err = store_obj_stat(pool->store, row, &facts->stat);
    if (err < 0 && err != -TWZ_EDAMAGED)
        return err;
    if (err < 0) {
        facts->stat.damaged = 1;
        facts->stat.id = store_obj_id_of(pool->store, row);
    }
    facts->error = facts->stat.damaged ? -TWZ_EDAMAGED : content_meta(pool, row, &facts->meta);
    if (facts->error == 0)
        facts->error = content_length(pool, row, &facts->length);
    facts->type = type_of(facts);
    return 0;
}

uint64_t facts_media(const struct facts *facts)
{
    return facts->stat.pages * STORE_FRAME_SIZE + sizeof(struct store_entry);
}

const char *facts_mode(char text[FACTS_MODE_TEXT], const struct facts *facts)
{
    static const char letters[] = "rwxrwxrwx";
    bool dir = strcmp(facts->type, "directory") == 0;
    uint64_t mode;

    text[0] = dir ? 'd' : '-';
    mode = facts->meta.mode;
    for (int i = 0; i < 9; i++)
        text[1 + i] = mode & (0400u >> i) ? letters[i] : '-';
    text[10] = '\0';
    return text;
}

void facts_fields(const struct facts *facts)
{
    char perms[OUT_PERMS_TEXT];
    const struct store_stat *stat = &facts->stat;
    static const char *const state[] = { "unknown", "free", "provisional", "live", "dead" };
    static const char *const persist[] = { "explicit", "release", "periodic" };

    out_id("id", stat->id);
    out_str("type", facts->type);
    out_u64("size", facts->length);
    out_u64("mode", facts->meta.mode);
    out_str("perms", out_perms_text(perms, stat->perms));
    out_u64("pages", stat->pages);
    out_u64("media", facts_media(facts));
    out_u64("links", facts->meta.links);
    out_u64("fot", facts->meta.fot_count);
    out_u64("mtime_ns", facts->meta.mtime_ns);
    out_u64("ctime_ns", facts->meta.ctime_ns);
    out_str("state", state[stat->state < 5 ? stat->state : 0]);
    out_str("persist", stat->persist < 3 ? persist[stat->persist] : "unknown");
    out_id("kuid", stat->kuid);
    out_id("tied_to", stat->tie_parent);
    out_u64("revocation_epoch", stat->revoke_epoch);
    out_bool("damaged", stat->damaged || facts->error < 0);
}

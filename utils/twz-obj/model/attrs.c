/* SPDX-License-Identifier: MIT */
#include "attrs.h"

#include <common/type.h>
#include <string.h>
#include <twz/error.h>

#include "content.h"
#include "fail.h"
#include "out.h"

const char *attrs_tag(uint64_t tag)
{
    const struct type *type = type_of_tag(tag);

    return type ? type->name : NULL;
}

/* The type of the first known tag; else, of an object that no thread may store to, that of its
 * magic number: a ku has no tag. */
static const struct type *find_type(const struct attrs *attrs)
{
    const struct type *type = NULL;
    twzobj obj;

    for (unsigned i = 0; i < TWZ_EXT_MAX && !type; i++)
        type = type_of_tag(attrs->meta.ext[i].tag);
    if (type || (attrs->stat.perms & (TWZ_WRITE | TWZ_DEL)) || attrs->stat.pages == 0 ||
        twz_object_init_guid(&obj, attrs->stat.id, TWZ_READ) < 0)
        return type;
    type = type_of(&obj);
    twz_object_release(&obj);
    return type;
}

static const char *type_name(const struct attrs *attrs)
{
    static const char *const kind[] = { "object", "view",          "thread", "context", "root",
                                        "device", "KSO directory", "system", "account", "service" };

    if (attrs->stat.damaged || attrs->error < 0)
        return "damaged";
    if (attrs->stat.kind != TWZ_KIND_DATA)
        return attrs->stat.kind < sizeof(kind) / sizeof(kind[0]) ? kind[attrs->stat.kind]
                                                                 : "unknown";
    if (attrs->structured)
        return attrs->structured->title;
    return attrs->posix.mode ? "file" : "object";
}

int attrs_get(const struct pool *pool, uint32_t row, uint32_t attr, struct attrs *attrs)
{
    int err;

    memset(attrs, 0, sizeof(*attrs));
    err = store_obj_stat(pool->store, row, &attrs->stat);
    if (err < 0 && err != -TWZ_EDAMAGED)
        return err;
    if (err < 0) {
        attrs->stat.damaged = 1;
        attrs->stat.id = store_obj_id_of(pool->store, row);
    }
    attrs->error = attrs->stat.damaged ? -TWZ_EDAMAGED : content_meta(pool, row, &attrs->meta);
    if (attrs->error == 0)
        attrs->error = content_length(pool, row, &attrs->length);
    if (!posix_get(pool, attrs->stat.id, attr, &attrs->posix, &attrs->names))
        attrs->names = 0;
    if (attrs->error == 0 && attrs->stat.kind == TWZ_KIND_DATA)
        attrs->structured = find_type(attrs);
    attrs->type = type_name(attrs);
    return 0;
}

uint64_t attrs_media(const struct attrs *attrs)
{
    return attrs->stat.pages * STORE_FRAME_SIZE + sizeof(struct store_entry);
}

const char *attrs_mode(char text[ATTRS_MODE_TEXT], const struct attrs *attrs)
{
    static const char letters[] = "rwxrwxrwx";
    bool dir = strcmp(attrs->type, "directory") == 0;
    uint64_t mode;

    text[0] = dir ? 'd' : '-';
    mode = attrs->posix.mode;
    for (int i = 0; i < 9; i++)
        text[1 + i] = mode & (0400u >> i) ? letters[i] : '-';
    text[10] = '\0';
    return text;
}

void attrs_fields(const struct attrs *attrs)
{
    char perms[OUT_PERMS_TEXT];
    const struct store_stat *stat = &attrs->stat;
    static const char *const state[] = { "unknown", "free", "provisional", "live", "dead" };
    static const char *const persist[] = { "explicit", "release", "periodic" };

    out_id("id", stat->id);
    out_str("type", attrs->type);
    out_u64("size", attrs->length);
    out_u64("mode", attrs->posix.mode);
    out_str("perms", out_perms_text(perms, stat->perms));
    out_u64("pages", stat->pages);
    out_u64("media", attrs_media(attrs));
    out_u64("links", attrs->names ? attrs->names - 1 : 0);
    out_u64("fot", attrs->meta.fot_count);
    out_u64("mtime_ns", attrs->posix.mtime_ns);
    out_u64("ctime_ns", attrs->posix.ctime_ns);
    out_str("state", state[stat->state < 5 ? stat->state : 0]);
    out_str("persist", stat->persist < 3 ? persist[stat->persist] : "unknown");
    out_id("kuid", stat->kuid);
    out_id("tied_to", stat->tie_parent);
    out_u64("revocation_epoch", stat->revoke_epoch);
    out_bool("damaged", stat->damaged || attrs->error < 0);
}

/* SPDX-License-Identifier: MIT */
/* A walk visits the superblock, the namespace, then the FOT and the tie of every object. */
#include "refs.h"

#include <string.h>
#include <twz/error.h>

#include "content.h"
#include "fail.h"
#include "ids.h"
#include "names.h"
#include "posix.h"

#define NAME_MAX_READ 1024u

const char *ref_kind_text(enum ref_kind kind)
{
    static const char *const text[] = { "name", "pointer", "tie", "owner", "root", "damaged" };

    return text[kind];
}

struct visit {
    struct pool *pool;
    refs_visitor visitor;
    void *ctx;
};

static int visit_name(void *ctx, const struct name_visit *name)
{
    const struct visit *visit = ctx;
    struct ref ref;

    if (name->name->kind == HIER_SYMLINK)
        return 0;
    ref = (struct ref){
        .kind = REF_NAME, .from = name->dir, .to = name->name->id, .path = name->path
    };
    return visit->visitor(visit->ctx, &ref);
}

static int report_gap(const struct visit *visit, objid_t id, int error)
{
    struct ref ref = { .kind = REF_GAP, .from = id, .error = error };

    return visit->visitor(visit->ctx, &ref);
}

static int report_directory_gap(void *ctx, objid_t dir, const char *path, int error)
{
    const struct visit *visit = ctx;
    struct ref ref = { .kind = REF_GAP, .from = dir, .path = path, .error = error };

    return visit->visitor(visit->ctx, &ref);
}

/* Read the name of a FOT entry that names its target into `buffer`, and resolve it. *name: NULL if
 * the entry does not locate a name; *to: 0 if the name means no object. -TWZ_E*: the name cannot be
 * read. */
static int resolve_entry_name(const struct visit *visit, uint32_t row,
                              const struct twz_fot_entry *entry, char *buffer, const char **name,
                              objid_t *to)
{
    uint64_t off = entry->name.name_off;
    uint64_t room;
    uint32_t kind;
    int err;

    *name = NULL;
    *to = (objid_t){ 0 };
    if (off < TWZ_OBJ_BASE || off >= TWZ_OBJ_DATA_TOP)
        return 0;
    room = TWZ_OBJ_DATA_TOP - off < NAME_MAX_READ ? TWZ_OBJ_DATA_TOP - off : NAME_MAX_READ;
    err = content_read(visit->pool, row, off, buffer, room);
    if (err < 0 || !memchr(buffer, '\0', room))
        return err < 0 ? err : 0;
    *name = buffer;
    err = names_find(visit->pool, buffer, to, &kind);
    if (err < 0)
        *to = (objid_t){ 0 };
    return err == -TWZ_EDAMAGED || err == -TWZ_EPOISON || err == -TWZ_ENOMEM ? err : 0;
}

/* Visit FOT entry `index` of an object. */
static int visit_entry(const struct visit *visit, uint32_t row, objid_t id, uint32_t index)
{
    char name[NAME_MAX_READ];
    struct twz_fot_entry entry;
    int err = content_fot(visit->pool, row, index, &entry);
    struct ref ref;

    if (err < 0)
        return report_gap(visit, id, err);
    if (!(entry.flags & TWZ_FOT_VALID))
        return 0;
    ref = (struct ref){ .kind = REF_FOT, .from = id, .to = entry.id, .index = index };
    ref.rights = (uint32_t)(entry.flags & TWZ_PERMS);
    if (entry.flags & TWZ_FOT_NAME) {
        ref.by_name = true;
        err = resolve_entry_name(visit, row, &entry, name, &ref.path, &ref.to);
        if (err < 0)
            return report_gap(visit, id, err);
    }
    return visit->visitor(visit->ctx, &ref);
}

static int visit_fot(const struct visit *visit, uint32_t row, objid_t id)
{
    struct twz_meta meta;
    int err = content_meta(visit->pool, row, &meta);

    if (err < 0)
        return report_gap(visit, id, err);
    for (uint32_t i = 1; err == 0 && i <= meta.fot_count; i++)
        err = visit_entry(visit, row, id, i);
    return err;
}

static int visit_tie(const struct visit *visit, const struct store_stat *stat)
{
    struct ref ref;

    if (objid_is_none(stat->tie_parent))
        return 0;
    /* The tie is stored in the child, and the child depends on the parent. */
    ref = (struct ref){ .kind = REF_TIE, .from = stat->tie_parent, .to = stat->id };
    return visit->visitor(visit->ctx, &ref);
}

/* Without its ku, an object could not be used by its owner any more. */
static int visit_owner(const struct visit *visit, const struct store_stat *stat)
{
    struct ref ref = { .kind = REF_OWNER, .from = stat->id, .to = stat->kuid };

    return objid_is_none(stat->kuid) ? 0 : visit->visitor(visit->ctx, &ref);
}

static int visit_roots(const struct visit *visit)
{
    const struct store_roots *roots = &store_super_get(visit->pool->store)->roots;
    const struct ref ref[] = {
        { .kind = REF_ROOT, .to = roots->names, .path = "names" },
        { .kind = REF_ROOT, .to = posix_table(visit->pool), .path = "attributes" },
        { .kind = REF_ROOT, .to = roots->init, .path = "init" },
        { .kind = REF_ROOT, .to = roots->sctx, .path = "sctx" },
        { .kind = REF_ROOT, .to = roots->owner, .path = "owner" },
    };

    for (size_t i = 0; i < sizeof(ref) / sizeof(ref[0]); i++) {
        int err = objid_is_none(ref[i].to) ? 0 : visit->visitor(visit->ctx, &ref[i]);

        if (err != 0)
            return err;
    }
    return 0;
}

static int visit_object(const struct visit *visit, uint32_t row)
{
    struct store_stat stat;
    int err = store_obj_stat(visit->pool->store, row, &stat);

    if (err == -TWZ_EDELETED || err == -TWZ_ENOOBJ)
        return 0;
    if (err < 0 || stat.damaged)
        return report_gap(visit, store_obj_id_of(visit->pool->store, row),
                          err < 0 ? err : -TWZ_EDAMAGED);
    err = visit_fot(visit, row, stat.id);
    if (err == 0)
        err = visit_owner(visit, &stat);
    return err != 0 ? err : visit_tie(visit, &stat);
}

int refs_each(struct pool *pool, refs_visitor visitor, void *ctx)
{
    struct visit visit = { pool, visitor, ctx };
    int err = visit_roots(&visit);

    if (err == 0 && !objid_is_none(pool->names))
        err = names_each_whole(pool, pool->names, "/", visit_name, report_directory_gap, &visit);
    for (uint32_t row = 0; err == 0 && ids_next(pool, &row); row++)
        err = visit_object(&visit, row);
    return err;
}

int refs_from(struct pool *pool, uint32_t row, refs_visitor visitor, void *ctx)
{
    struct visit visit = { pool, visitor, ctx };
    objid_t id = store_obj_id_of(pool->store, row);
    struct name_list list;
    struct store_stat stat;
    int err = visit_fot(&visit, row, id);

    if (err == 0 && store_obj_info(pool->store, row, &stat) >= 0 && !stat.damaged)
        err = visit_owner(&visit, &stat);
    if (err != 0 || names_list(id, &list) < 0)
        return err;
    for (size_t i = 0; err == 0 && i < list.count; i++) {
        struct ref ref = {
            .kind = REF_NAME, .from = id, .to = list.name[i].id, .path = list.name[i].text
        };

        if (list.name[i].kind != HIER_SYMLINK)
            err = visitor(ctx, &ref);
    }
    names_list_free(&list);
    return err;
}

struct pointed {
    objid_t id;
    bool names;
};

static int match_target(void *ctx, const struct ref *ref)
{
    const struct pointed *pointed = ctx;

    if (ref->kind == REF_GAP)
        return !objid_equal(ref->from, pointed->id);
    return objid_equal(ref->to, pointed->id) && (pointed->names || ref->kind != REF_NAME);
}

bool refs_pointed(struct pool *pool, objid_t id, bool names)
{
    return refs_each(pool, match_target, &(struct pointed){ id, names }) != 0;
}

void refs_warn_gap(const struct ref *ref)
{
    fail_warn("%s " IDFMT ": %s: its references are not known", ref->path ? ref->path : "object",
              IDPR(ref->from), fail_text(ref->error));
}

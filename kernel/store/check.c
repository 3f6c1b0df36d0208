/* SPDX-License-Identifier: MIT */
/*
 * The invariant walk. It opens the pool read-only and recovers it, which checks every word. Then it
 * checks the rest: IDs derived from their identities, reserved bytes, parents and witnesses,
 * directory words past the end of the table.
 */
#include <store/inside.h>

struct check {
    const struct store_env *env;
    void (*found)(void *ctx, const struct store_report *report);
    void *ctx;
    struct store_checked *result;
};

static void count_problem(void *ctx, const struct store_report *report)
{
    struct check *check = ctx;

    check->result->problems++;
    if (check->found)
        check->found(check->ctx, report);
}

static void *check_alloc(void *ctx, size_t bytes)
{
    struct check *check = ctx;

    return check->env->alloc(check->env->ctx, bytes);
}

static void check_free(void *ctx, void *mem, size_t bytes)
{
    struct check *check = ctx;

    check->env->free(check->env->ctx, mem, bytes);
}

static bool is_zero(const void *mem, size_t len)
{
    const uint8_t *at = mem;

    for (size_t i = 0; i < len; i++)
        if (at[i])
            return false;
    return true;
}

static void check_super(const struct store *store)
{
    const struct store_super *super = env_frame(store, store->super_copy);

    if (!super->compatible && !is_zero(super->reserved, sizeof(super->reserved)))
        env_report_pool(store, super->reserved, 1, 0, "superblock: reserved bytes");
}

static void check_dir_words(const struct store *store)
{
    uint64_t absent = word_body(STORE_ABSENT, 0, 0);

    for (uint32_t copy = 0; copy < 2; copy++)
        for (uint32_t i = store->chunks; i < store->super.dir_words; i++) {
            uint64_t *word = table_dir_word(store, copy, i);

            if (i > store->chunks && *word != word_seal(absent, store->salt, STORE_LOC_DIR, i))
                env_report_pool(store, word, *word, 0, "directory word past the end");
        }
}

static void check_id(const struct cursor *cursor)
{
    const struct store_entry *entry = cursor->entry;
    objid_t id = object_derived_id(entry);

    if (!objid_equal(id, entry->id))
        cursor_report(cursor, &entry->id, entry->id.lo, id.lo,
                      "ID does not follow from its record");
}

/*
 * Ties must form no circle, whatever its length. Each walk upwards leaves its number in the objects
 * that it visits, and ends where an earlier walk has been, so all walks together are linear. The
 * store is read-only, so marked_next is unused and 0.
 */
static void check_circle(const struct cursor *cursor)
{
    const objid_t *id = &entry_version(cursor->entry)->tie_parent;
    struct cursor at = *cursor, parent;
    uint32_t walk = cursor->number + 1;

    while (!at.row->marked_next) {
        at.row->marked_next = walk;
        if (!object_parent(&at, &parent))
            return;
        at = parent;
    }
    if (at.row->marked_next == walk)
        cursor_report(cursor, id, id->lo, 0, "ties form a circle");
}

/* The parent of a tied object must exist. */
static void check_parent(const struct cursor *cursor)
{
    const objid_t *id = &entry_version(cursor->entry)->tie_parent;
    struct cursor parent;

    if (objid_is_none(*id))
        return;
    if (index_find(cursor->store, *id, &parent))
        check_circle(cursor);
    else if (cursor->row->state != STORE_DELETED)
        cursor_report(cursor, id, id->lo, 0, "tied to an object that does not exist");
}

static void check_object(const struct cursor *cursor)
{
    const struct store_entry *entry = cursor->entry;
    const struct store_version *version = entry_version(entry);

    if (cursor->row->flags & ROW_DAMAGED)
        return;
    check_id(cursor);
    check_parent(cursor);
    if (!cursor->store->super.compatible &&
        (entry->identity.reserved || !is_zero(version->reserved, sizeof(version->reserved))))
        cursor_report(cursor, version->reserved, 1, 0, "entry: reserved bytes");
    if (version->witness_off % sizeof(uint64_t) || version->witness_off >= TWZ_OBJ_RECORD)
        cursor_report(cursor, &version->witness_off, version->witness_off, 0, "witness offset");
}

static void check_objects(const struct store *store)
{
    struct cursor cursor;

    for (uint32_t number = 0; store_obj_next(store, &number) == 0; number++) {
        cursor_set(&cursor, store, number);
        check_object(&cursor);
    }
}

int store_check(const struct store_env *env,
                void (*found)(void *ctx, const struct store_report *report), void *ctx,
                struct store_checked *result)
{
    struct check check = { env, found, ctx, result };
    struct store_env own = { .base = env->base,
                             .size = env->size,
                             .ctx = &check,
                             .alloc = check_alloc,
                             .free = check_free,
                             .report = count_problem };
    struct store_recovery recovery;
    struct store_report why;
    struct store *store;
    int err;

    memset(result, 0, sizeof(*result));
    err = store_open(&own, &store, &why);
    if (err < 0) {
        if (err != -TWZ_ENOMEM)
            count_problem(&check, &why);
        return err;
    }
    err = store_recover_readonly(store, &recovery);
    if (err == 0) {
        check_super(store);
        check_dir_words(store);
        check_objects(store);
        result->objects = recovery.objects;
        result->frames = recovery.frames;
        result->pending =
            (uint64_t)recovery.mirrors + recovery.retained + recovery.reclaimed + recovery.deleted;
    }
    store_close(store);
    return err;
}

/* SPDX-License-Identifier: MIT */
/*
 * Crash protocol of users_add. Each step makes whole objects and names them in one step
 * (destination.c).
 *
 *   step                                            after a crash
 *   1        /sys/users/NAME, and the home          there is no such user
 *   2        its context, kr and kring, with names  the same
 *   3 COMMIT the name `user`, with its object       the user is there, whole
 *
 * When the same user is added again, the objects of steps 1 and 2 are removed first.
 */
#include "users.h"

#include <stdio.h>
#include <string.h>

#include "contexts.h"
#include "destination.h"
#include "explain.h"
#include "fail.h"
#include "names.h"
#include "platform.h"

#define USERS     "/sys/users"
#define DIR_PERMS (TWZ_READ | TWZ_USE) /* no program changes who the users are */
#define PATH_TEXT (sizeof(USERS) + USER_NAME + 16)

static void user_path(char path[PATH_TEXT], const char *user, const char *leaf)
{
    snprintf(path, PATH_TEXT, "%s/%s%s%s", USERS, user, leaf ? "/" : "", leaf ? leaf : "");
}

/* --- making objects ------------------------------------------------------------------------- */

/* A record to make: its owner and permissions, and its first structure. */
struct record_spec {
    objid_t kuid;
    uint32_t perms;
    int (*init)(const twzobj *obj, const void *first);
    const void *first;
};

static int init_user(const twzobj *obj, const void *first)
{
    return user_init(obj, first);
}

static int init_kring(const twzobj *obj, const void *first)
{
    return kring_init(obj, first);
}

static int init_kr(const twzobj *obj, const void *first)
{
    return kr_init(obj, first);
}

/* The `make` of an object_spec. */
static int make_record(void *ctx, struct pool *pool, objid_t *id)
{
    const struct record_spec *spec = ctx;
    /* The witness never holds, as in destination.c. */
    struct twz_create create = {
        .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
        .perms = spec->perms,
        .kuid = spec->kuid,
        .witness = pool->names,
        .witness_off = TWZ_OBJ_META,
        .witness_value = UINT64_MAX,
    };
    twzobj obj;
    int err = plat_obj_create(&create, id);

    if (err < 0)
        return err;
    err = twz_object_init_guid(&obj, *id, TWZ_READ | TWZ_WRITE);
    if (err >= 0) {
        err = spec->init(&obj, spec->first);
        twz_object_release(&obj);
    }
    if (err >= 0)
        err = plat_obj_ctl(*id, TWZ_CTL_PERMANENT, 0);
    if (err < 0 && plat_obj_delete(*id, TWZ_DELETE_NOW) < 0)
        return -TWZ_EDAMAGED;
    return err < 0 ? err : 0;
}

static int create_record(struct pool *pool, const char *user, const char *leaf,
                         struct record_spec *spec, objid_t *id)
{
    const struct object_spec object = {
        .leaf = leaf, .make = make_record, .ctx = spec, .fresh = true, .values = { .mode = 0600 }
    };
    char path[PATH_TEXT];

    user_path(path, user, leaf);
    return destination_create(pool, path, &object, id);
}

/* --- users_add ------------------------------------------------------------------------------ */

/* Remove a name that an earlier users_add left, with its object. */
static int remove_left(struct pool *pool, const char *user, const char *leaf)
{
    struct hier_where where;
    char path[PATH_TEXT];
    int err;

    user_path(path, user, leaf);
    err = names_walk_entry(pool, path, &where);
    if (err < 0)
        return err == -TWZ_ENONAME ? TOOL_OK : fail_twz(path, err);
    if (where.kind != 0)
        err = hier_remove(&where.dir, names_leaf(&where), HIER_DELETE | HIER_NOT_DIR);
    hier_where_close(&where);
    return err < 0 ? fail_twz(path, err) : TOOL_OK;
}

/* Step 1. */
static int make_directories(struct pool *pool, const struct users_new *new, struct user *user)
{
    static const char *const leaves[] = { "context", "kr", "kring" };
    char path[PATH_TEXT];
    uint32_t kind;
    int err;

    user_path(path, new->name, "user");
    if (names_find(pool, path, &user->home, &kind) >= 0)
        return fail(TOOL_NO, "%s: there is a user of that name: choose another one", new->name);
    user_path(path, new->name, NULL);
    err = names_mkdir(pool, "/sys", DIR_PERMS);
    if (err >= 0)
        err = names_mkdir(pool, USERS, DIR_PERMS);
    if (err >= 0)
        err = names_mkdir(pool, path, DIR_PERMS);
    if (err < 0)
        return explain_make(pool, path, err);
    err = names_mkdir_parents(pool, new->home, NULL);
    if (err >= 0)
        err = names_find(pool, new->home, &user->home, &kind);
    if (err < 0)
        return explain_make(pool, new->home, err);
    err = TOOL_OK;
    for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]) && err == TOOL_OK; i++)
        err = remove_left(pool, new->name, leaves[i]);
    return err;
}

/* An owner needs no default rights. Without one they are all there is. */
static uint32_t perms_of(const struct users_new *new)
{
    return objid_is_none(new->kuid) ? TWZ_READ : 0;
}

/* Step 2 without the context. */
static int make_keys(struct pool *pool, const struct users_new *new, struct user *user)
{
    struct record_spec kr = { new->kuid, perms_of(new), init_kr, new->keys };
    struct kring ring = { 0 };
    struct record_spec spec = { new->kuid, TWZ_READ, init_kring, &ring };
    struct kring_key key = { .ku = new->kuid,
                             .trust = KRING_OWN,
                             .purpose = KRING_SIGN | KRING_LOGIN | KRING_RECOVER };
    int err = TOOL_OK;

    key.added_ns = plat_time();
    if (new->keys)
        err = create_record(pool, new->name, "kr", &kr, &key.kr);
    if (err == TOOL_OK && !objid_is_none(new->kuid) && kring_set(&ring, &key) < 0)
        err = fail(TOOL_DAMAGED, "%s: the key cannot be listed", new->name);
    if (err == TOOL_OK)
        err = create_record(pool, new->name, "kring", &spec, &user->kring);
    return err;
}

int users_add(struct pool *pool, const struct users_new *new)
{
    const struct context_spec context = { perms_of(new) | TWZ_USE, new->kuid, TWZ_PERMS, 0 };
    struct user user = { .kuid = new->kuid };
    struct record_spec spec = { new->kuid, TWZ_READ, init_user, &user };
    char path[PATH_TEXT];
    objid_t id;
    int err;

    if (user_name_set(&user, new->name) < 0)
        return fail(TOOL_NO, "%s: is no name of a user: letters a-z, digits, _ and -, up to %u",
                    new->name, USER_NAME - 1);
    err = make_directories(pool, new, &user);
    user_path(path, new->name, "context");
    if (err == TOOL_OK)
        err = context_create(pool, path, &context, &user.context);
    if (err == TOOL_OK)
        err = make_keys(pool, new, &user);
    if (err == TOOL_OK)
        err = create_record(pool, new->name, "user", &spec, &id); /* COMMIT: the user exists */
    return err;
}

/* --- users_get ------------------------------------------------------------------------------ */

static int find_leaf(struct pool *pool, const char *name, const char *leaf, objid_t *id)
{
    char path[PATH_TEXT];
    uint32_t kind;

    user_path(path, name, leaf);
    return names_find(pool, path, id, &kind);
}

/* Open an object, read its structure, release it. */
static int read_user(objid_t id, struct user *user)
{
    twzobj obj;
    int err = twz_object_init_guid(&obj, id, TWZ_READ);

    if (err < 0)
        return err;
    err = user_read(&obj, user);
    twz_object_release(&obj);
    return err;
}

static int read_kring(objid_t id, struct kring *ring)
{
    twzobj obj;
    int err = twz_object_init_guid(&obj, id, TWZ_READ);

    if (err < 0)
        return err;
    err = kring_read(&obj, ring);
    twz_object_release(&obj);
    return err;
}

int users_get(struct pool *pool, const char *name, struct users_info *info)
{
    struct user checked = { 0 };
    objid_t id;
    int err = user_name_set(&checked, name);

    *info = (struct users_info){ 0 };
    if (err >= 0)
        err = find_leaf(pool, name, "user", &id);
    if (err < 0)
        return fail(TOOL_MISSING, "%s: there is no such user: see twz-obj ls %s", name, USERS);
    err = read_user(id, &info->user);
    if (err >= 0 && strcmp(info->user.name, name) != 0)
        err = -TWZ_EDAMAGED;
    if (err >= 0 && !objid_is_none(info->user.kring))
        err = read_kring(info->user.kring, &info->ring);
    if (err < 0)
        return fail_twz(name, err);
    if (find_leaf(pool, name, "kr", &info->kr) < 0)
        info->kr = TWZ_OBJID_NONE;
    return TOOL_OK;
}

/* SPDX-License-Identifier: MIT */
/*
 * Repair of the root directory (names.h). A fault on the way, or an error that is not the lack of a
 * name, means that the directory is damaged. It is then emptied and made anew; the objects that it
 * named stay in the pool (twz-obj lost).
 *
 *   step                       durable before   after a crash
 *   1 discard all pages        2                the next boot finds no directory, and begins again
 *   2 hier_init                3                an empty directory: the next boot adds the names
 *   3 COMMIT: each name        -                the name is there
 *
 * A program may also rename a directory of the system within the root, and give its name to
 * something else. Then what has the name is moved aside, and the directory's name is moved back:
 * two renames, each of them atomic. After a power failure between them the next boot does the rest.
 */
#include <hier/hier.h>
#include <twz/call.h>
#include <twz/faults.h>
#include <twz/ptr.h>

#include "names.h"

static const struct {
    struct hier_name name;
    uint32_t fot; /* init's FOT entry TWZ_FOT_SYSTEM + fot; 0: any directory of that name will do */
} system_dirs[] = {
    { { "bin", 3 }, 1 },  { { "sys", 3 }, 2 }, { { "host", 4 }, 0 },
    { { "data", 4 }, 0 }, { { "tmp", 3 }, 0 },
};

struct repair {
    twzobj root;
    int err;
    bool changed;
};

/* The directory's object by init's FOT. TWZ_OBJID_NONE: no entry names one. */
static objid_t target_of(uint32_t fot)
{
    twzobj self;
    uint64_t count;

    if (twz_object_init_ptr(&self, (const void *)(uintptr_t)names_repair) < 0)
        return TWZ_OBJID_NONE;
    count = twz_object_meta(&self)->fot_count;
    for (uint32_t i = 1; i <= count && i <= TWZ_FOT_MAX; i++) {
        const struct twz_fot_entry *entry = twz_fot_entry(&self, i);

        if ((entry->flags & (TWZ_FOT_VALID | TWZ_FOT_NAME)) == TWZ_FOT_VALID &&
            entry->resolver == TWZ_FOT_SYSTEM + fot)
            return entry->id;
    }
    return TWZ_OBJID_NONE;
}

/* Give what has the name another one: NAME.1, NAME.2 and so on. */
static int move_aside(struct repair *r, struct hier_name name)
{
    char text[16] = { 0 };
    int err = -TWZ_EEXIST;

    __builtin_memcpy(text, name.text, name.len);
    text[name.len] = '.';
    for (char digit = '1'; digit <= '9' && err == -TWZ_EEXIST; digit++) {
        text[name.len + 1] = digit;
        err = hier_rename(&r->root, name, &r->root, (struct hier_name){ text, name.len + 2 },
                          HIER_EXCL);
    }
    return err;
}

/* The name that directory `id` has in the root: 1; 0: none. A program cannot move it to another
 * directory, since that changes the directory itself. */
static int find_other_name(struct repair *r, objid_t id, struct hier_item *item)
{
    uint64_t cursor = 0;
    int ret;

    do {
        ret = hier_iter(&r->root, &cursor, item);
    } while (ret > 0 && !(item->found.kind == HIER_DIR && objid_equal(item->found.id, id)));
    return ret;
}

/* Name the directory again. `taken`: something else has its name. */
static int restore_name(struct repair *r, struct hier_name name, objid_t id, bool taken)
{
    static struct hier_item item;
    int err = taken ? move_aside(r, name) : 0;

    if (err < 0)
        return err;
    r->changed = true;
    err = find_other_name(r, id, &item);
    if (err > 0)
        return hier_rename(&r->root, (struct hier_name){ item.name, item.len }, &r->root, name, 0);
    return err < 0 ? err : hier_insert_dir(&r->root, name, id);
}

/* A directory of the system whose object is lost, too, is not made here: programs of the system
 * would be missing in it. */
static int check_name(struct repair *r, struct hier_name name, uint32_t fot)
{
    static const struct hier_create open_dir = { .kind = HIER_DIR,
                                                 .perms = TWZ_READ | TWZ_WRITE | TWZ_USE };
    objid_t id = fot ? target_of(fot) : TWZ_OBJID_NONE;
    struct hier_found found;
    int err = hier_lookup(&r->root, name, &found);

    if (err < 0 && err != -TWZ_ENONAME)
        return err;
    if (fot)
        return objid_is_none(id) || (err == 0 && objid_equal(found.id, id))
                   ? 0
                   : restore_name(r, name, id, err == 0);
    if (err == 0)
        return 0;
    r->changed = true;
    return hier_create(&r->root, name, &open_dir, NULL);
}

/* The root directory itself is unusable. Other errors, such as a full pool or a name in use, leave
 * its names as they are. */
static bool is_damage(int err)
{
    return err == -TWZ_ETYPE || err == -TWZ_EVERSION || err == -TWZ_EDAMAGED || err == -TWZ_EIO ||
           err == -TWZ_EPOISON;
}

static void check_names(void *arg)
{
    struct repair *r = arg;

    int err = hier_probe(&r->root);

    for (unsigned i = 0; i < sizeof(system_dirs) / sizeof(system_dirs[0]) && !is_damage(err); i++)
        err = check_name(r, system_dirs[i].name, system_dirs[i].fot);
    r->err = err;
}

static void make_root_anew(void *arg)
{
    struct repair *r = arg;

    r->changed = true;
    r->err = (int)twz_sys_obj_range(r->root.id, TWZ_RANGE_DISCARD, TWZ_OBJ_BASE,
                                    TWZ_OBJ_RECORD - TWZ_OBJ_BASE);
    if (r->err >= 0)
        r->err = hier_init(&r->root, TWZ_OBJID_NONE, TWZ_OBJID_NONE);
}

bool names_repair(void)
{
    struct repair r = { .changed = false };
    struct twz_fault fault;
    bool damaged;

    if (twz_object_init_guid(&r.root, twz_name_root(), TWZ_READ | TWZ_WRITE) < 0)
        return false;
    damaged = twz_try(check_names, &r, &fault) || is_damage(r.err);
    if (damaged && !twz_try(make_root_anew, &r, &fault) && r.err >= 0)
        (void)twz_try(check_names, &r, &fault);
    twz_object_release(&r.root);
    return r.changed;
}

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
 */
#include <hier/hier.h>
#include <twz/call.h>
#include <twz/faults.h>
#include <twz/ptr.h>

#include "names.h"

static const struct {
    struct hier_name name;
    uint32_t fot; /* entry of init's FOT; 0: any directory of that name will do */
} system_dirs[] = {
    { { "bin", 3 }, 1 },  { { "sys", 3 }, 2 }, { { "host", 4 }, 0 },
    { { "data", 4 }, 0 }, { { "tmp", 3 }, 0 },
};

struct repair {
    twzobj root;
    int err;
    bool changed;
};

/* The directory's object by init's FOT. TWZ_OBJID_NONE: the entry names none. */
static objid_t target_of(uint32_t index)
{
    objid_t id = TWZ_OBJID_NONE;
    uint32_t rights;
    twzobj self;

    if (twz_object_init_ptr(&self, (const void *)(uintptr_t)names_repair) < 0 ||
        twz_fot_target(&self, index, &id, &rights) < 0)
        return TWZ_OBJID_NONE;
    return id;
}

/* Name the directory again. Something else under its name loses it; a directory that is not empty
 * stays, and the name with it. */
static int restore_name(struct repair *r, struct hier_name name, objid_t id)
{
    int err = hier_remove(&r->root, name, 0);

    if (err < 0 && err != -TWZ_ENONAME)
        return err;
    r->changed = true;
    return hier_insert_dir(&r->root, name, id);
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
                   : restore_name(r, name, id);
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

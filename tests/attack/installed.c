/* SPDX-License-Identifier: MIT */
/*
 * installed PATH OP...: attacks on the object that PATH names, with the calls that every program
 * has. Prints each OP and the result of its call, 0 or a negative error. OP is delete, delete-now,
 * discard, hole, protect, perms, volatile, copy (onto the object), patch (a store), touch (a load).
 */
#include <twz/error.h>
#include <twz/name.h>
#include <twz/ptr.h>

#include "attack.h"

#define PAGES (16ull * TWZ_PAGE_SIZE)

static int64_t copy_onto(objid_t id)
{
    struct twz_create spec = { .perms = TWZ_READ | TWZ_WRITE | TWZ_DEL };
    struct twz_copy copy = {
        .dst = id, .src_off = TWZ_OBJ_BASE, .dst_off = TWZ_OBJ_BASE, .len = PAGES
    };
    int64_t err = twz_sys_obj_create(&spec, &copy.src);

    return err < 0 ? err : twz_sys_obj_copy(&copy, 1);
}

/* Add two FOT entries to the object. */
static int64_t point_to_root(objid_t id)
{
    twz_pptr_t p;
    twzobj obj;
    int err = twz_object_init_guid(&obj, id, TWZ_READ | TWZ_WRITE);

    for (uint32_t rights = TWZ_READ; err >= 0 && rights <= (TWZ_READ | TWZ_WRITE);
         rights |= rights << 1)
        err = twz_ptr_make(&obj, twz_name_root(), TWZ_OBJ_BASE, rights, &p);
    return err < 0 ? err : 0;
}

static int64_t attack(const char *op, objid_t id)
{
    static const struct {
        const char *name;
        uint64_t op;
    } ranges[] = { { "discard", TWZ_RANGE_DISCARD },
                   { "hole", TWZ_RANGE_HOLE },
                   { "protect", TWZ_RANGE_PROTECT } };

    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (!strcmp(op, ranges[i].name))
            return twz_sys_obj_range(id, ranges[i].op, TWZ_OBJ_BASE, PAGES);
    if (!strcmp(op, "delete"))
        return twz_sys_obj_delete(id, TWZ_DELETE_DEFERRED);
    if (!strcmp(op, "delete-now"))
        return twz_sys_obj_delete(id, TWZ_DELETE_NOW);
    if (!strcmp(op, "perms"))
        return twz_sys_obj_ctl(id, TWZ_CTL_PERMS, 0);
    if (!strcmp(op, "volatile"))
        return twz_sys_obj_ctl(id, TWZ_CTL_PERSIST, 0);
    if (!strcmp(op, "copy"))
        return copy_onto(id);
    if (!strcmp(op, "point"))
        return point_to_root(id);
    if (!strcmp(op, "patch"))
        *(volatile char *)attack_map(ATTACK_SLOT, id, TWZ_READ | TWZ_WRITE) = 1;
    if (!strcmp(op, "touch"))
        (void)*(volatile char *)attack_map(ATTACK_SLOT, id, TWZ_READ);
    return 0;
}

int main(int argc, char **argv)
{
    objid_t id;

    if (argc < 3 || twz_name_resolve(argv[1], &id) < 0)
        return 99;
    for (int i = 2; i < argc; i++) {
        printf("%s %d\n", argv[i], (int)attack(argv[i], id));
        fflush(stdout);
    }
    return 0;
}

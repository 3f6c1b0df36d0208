/* SPDX-License-Identifier: MIT */
#include <attr/attr.h>
#include <common/type.h>
#include <hier/hier.h>
#include <kr/kr.h>
#include <kring/kring.h>
#include <ku/ku.h>
#include <twz/guard.h>
#include <user/user.h>

struct hier_report {
    type_found found;
    void *ctx;
};

static void report_hier(void *ctx, const struct hier_problem *problem)
{
    const struct hier_report *report = ctx;

    if (report->found)
        report->found(report->ctx, problem->off, problem->what);
}

static int check_hier(const twzobj *obj, type_found found, void *ctx)
{
    struct hier_report report = { found, ctx };

    return hier_check(obj, report_hier, &report);
}

static const struct type types[] = {
    { HIER_TAG, HIER_MAGIC, "hier", "directory", check_hier, hier_show },
    { ATTR_TAG, ATTR_MAGIC, "attr", "attribute table", attr_check, attr_show },
    { USER_TAG, USER_MAGIC, "user", "user", user_check, user_show },
    { KRING_TAG, KRING_MAGIC, "kring", "keyring", kring_check, kring_show },
    { KR_TAG, KR_MAGIC, "kr", "private keys", kr_check, kr_show },
    { 0, SEC_KU_MAGIC, "ku", "public keys", ku_object_check, ku_object_show },
};

const struct type *type_of_tag(uint64_t tag)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (tag && types[i].tag == tag)
            return &types[i];
    }
    return NULL;
}

static const struct type *type_of_magic(uint64_t magic)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (!types[i].tag && types[i].magic == magic)
            return &types[i];
    }
    return NULL;
}

/* The first known tag counts, and the magic number only of an object without one. */
static int find_type(const twzobj *obj, const struct type **type)
{
    const struct twz_meta *meta = twz_object_meta(obj);

    twz_guard_watch(obj->start);
    *type = NULL;
    for (uint32_t i = 0; i < TWZ_EXT_MAX && !*type; i++)
        *type = type_of_tag(__atomic_load_n(&meta->ext[i].tag, __ATOMIC_ACQUIRE));
    if (!*type)
        *type = type_of_magic(*(const uint64_t *)twz_object_base(obj));
    return 0;
}

const struct type *type_of(const twzobj *obj)
{
    const struct type *type;

    return TWZ_GUARDED(find_type(obj, &type)) < 0 ? NULL : type;
}

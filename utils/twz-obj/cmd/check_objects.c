/* SPDX-License-Identifier: MIT */
#include <attr/layout.h>
#include <hier/layout.h>
#include <stdio.h>

#include "attrs.h"
#include "check_objects.h"
#include "fail.h"
#include "out.h"
#include "sealed.h"

static void print_object_problem(objid_t id, int error)
{
    if (out_is_json()) {
        out_begin();
        out_str("problem", fail_text(error));
        out_id("id", id);
        out_end();
        return;
    }
    printf("metadata page: %s: object " IDFMT "\n", fail_text(error), IDPR(id));
}

static void print_structure_problem(void *ctx, uint64_t off, const char *what)
{
    const struct attrs *attrs = ctx;

    if (out_is_json()) {
        out_begin();
        out_str("problem", what);
        out_id("id", attrs->stat.id);
        out_u64("offset", off);
        out_end();
        return;
    }
    printf("%s: %s " IDFMT ", offset %llu\n", what, attrs->type, IDPR(attrs->stat.id),
           (unsigned long long)off);
}

/* The invariants of a structured object. Those of directories and attribute tables are checked
 * where they have names. */
static uint64_t check_structure(struct attrs *attrs)
{
    const struct type *type = attrs->structured;
    twzobj obj;
    int err;

    if (!type || type->tag == HIER_TAG || type->tag == ATTR_TAG)
        return 0;
    err = twz_object_init_guid(&obj, attrs->stat.id, TWZ_READ);
    if (err >= 0) {
        err = type->check(&obj, print_structure_problem, attrs);
        twz_object_release(&obj);
    }
    if (err < 0)
        print_structure_problem(attrs, 0, fail_text(err));
    return err < 0 ? 1 : (uint64_t)err;
}

static void print_sealed_problem(void *ctx, objid_t id, uint32_t page, const char *what)
{
    uint64_t *problems = ctx;

    ++*problems;
    if (out_is_json()) {
        out_begin();
        out_str("problem", what);
        out_id("id", id);
        out_u64("page", page);
        out_end();
        return;
    }
    printf("%s: object " IDFMT, what, IDPR(id));
    if (page != 0)
        printf(", page %u", page);
    putchar('\n');
}

int check_objects(struct pool *pool, uint64_t *problems)
{
    struct attrs attrs;
    int err = 0;

    for (uint32_t row = 0; err == 0 && store_obj_next(pool->store, &row) == 0; row++) {
        if (attrs_get(pool, row, ATTRS_UNNAMED, &attrs) < 0 || attrs.stat.damaged)
            continue;
        if ((attrs.stat.flags & STORE_OBJ_SEALED) != 0)
            err = sealed_verify(pool, row, print_sealed_problem, problems);
        if (attrs.error >= 0) {
            *problems += check_structure(&attrs);
        } else {
            print_object_problem(attrs.stat.id, attrs.error);
            ++*problems;
        }
    }
    return err < 0 ? fail_twz(pool->path, err) : TOOL_OK;
}

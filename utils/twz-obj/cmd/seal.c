/* SPDX-License-Identifier: MIT */
/* seal: makes sealed objects (model/sealed.h has the crash protocol). */
#include <stdio.h>
#include <twz/error.h>

#include "command.h"
#include "ident.h"
#include "ids.h"
#include "out.h"
#include "pool.h"
#include "sealed.h"
#include "text.h"

static void print_sealed(struct tool *tool, const struct ident *item, objid_t id, bool made)
{
    char text[OUT_ID_TEXT];

    if (!out_is_json()) {
        puts(out_id_text(text, id, ids_shown(tool->pool, id)));
        return;
    }
    out_begin();
    out_id("id", id);
    out_id("source", item->id);
    out_bool("made", made);
    out_end();
}

static int explain_seal(const struct ident *item, int error)
{
    switch (-error) {
    case TWZ_EINVAL:
        return fail(TOOL_NO,
                    "%s: only data without holes can be sealed, with an owner or permissions",
                    item->text);
    case TWZ_EBUSY:
        return fail(TOOL_NO, "%s: a program has not finished a change of its tags", item->text);
    default: return fail_twz(item->text, error);
    }
}

static int seal_one(struct tool *tool, const struct ident *item, const char *perms_text,
                    uint32_t perms)
{
    struct store_stat stat;
    objid_t id;
    bool made;
    int err = store_obj_info(tool->pool->store, item->row, &stat);

    if (err < 0)
        return fail_twz(item->text, err);
    if ((stat.flags & STORE_OBJ_SEALED) != 0 && !perms_text) {
        print_sealed(tool, item, stat.id, false);
        return TOOL_OK;
    }
    err = sealed_make(tool->pool, item->row, perms_text ? perms : stat.perms & ~TWZ_WRITE, &id,
                      &made);
    if (err < 0)
        return explain_seal(item, err);
    print_sealed(tool, item, id, made);
    return TOOL_OK;
}

int cmd_seal(struct tool *tool, const struct args *args)
{
    const char *perms_text = args_option(args, "perms");
    struct ident_list list;
    uint32_t perms = 0;
    int err;

    if (perms_text && (!text_perms(perms_text, &perms) || (perms & TWZ_WRITE) != 0))
        return fail(TOOL_USAGE, "--perms %s: give letters of rxud", perms_text);
    err = ident_all(tool, args, &list);
    for (size_t i = 0; err == TOOL_OK && i < list.count; i++)
        err = seal_one(tool, &list.item[i], perms_text, perms);
    ident_free(&list);
    return err;
}

/* SPDX-License-Identifier: MIT */
/* Makes the text that twz-obj prints for a user. */
#include "inside.h"

static void show_id(const char *what, objid_t id, type_line line, void *ctx)
{
    struct line l = { 0 };

    line_add_string(&l, what);
    line_add_id(&l, id);
    line(ctx, l.text);
}

int user_show(const twzobj *obj, type_line line, void *ctx)
{
    struct line l = { 0 };
    struct user user;
    int err = user_read(obj, &user);

    if (err < 0)
        return err;
    line_add_string(&l, "user ");
    line_add_string(&l, user.name);
    line(ctx, l.text);
    show_id("kuid ", user.kuid, line, ctx);
    show_id("context ", user.context, line, ctx);
    show_id("home ", user.home, line, ctx);
    show_id("kring ", user.kring, line, ctx);
    return 0;
}

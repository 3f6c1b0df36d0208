/* SPDX-License-Identifier: MIT */
/* Makes the text that twz-obj prints for a ku. */
#include <common/line.h>
#include <ku/ku.h>

static void show_key(const char *what, const uint8_t *key, type_line line, void *ctx)
{
    struct line l = { 0 };

    line_add_string(&l, what);
    for (unsigned i = 0; i < SEC_KEY; i++)
        line_add_hex(&l, key[i], 2);
    line(ctx, l.text);
}

int ku_object_show(const twzobj *obj, type_line line, void *ctx)
{
    struct line l = { 0 };
    struct sec_ku ku;
    int err = ku_object_read(obj, &ku);

    if (err < 0)
        return err;
    line_add_string(&l, "public keys, label ");
    line_add_string(&l, ku.label);
    line(ctx, l.text);
    show_key("signing  ", ku.signing, line, ctx);
    show_key("recovery ", ku.recovery, line, ctx);
    return 0;
}

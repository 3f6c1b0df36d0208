/* SPDX-License-Identifier: MIT */
/* Makes the text that twz-obj prints for a kr. */
#include "inside.h"

int kr_show(const twzobj *obj, type_line line, void *ctx)
{
    struct line l = { 0 };
    struct kr kr;
    int err = kr_read(obj, &kr);

    if (err < 0)
        return err;
    line_add_string(&l, "private keys of ku ");
    line_add_id(&l, kr.ku);
    line_add_string(&l, ", sealed by a passphrase, bytes ");
    line_add_decimal(&l, kr.len);
    line(ctx, l.text);
    return 0;
}

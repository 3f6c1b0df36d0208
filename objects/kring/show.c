/* SPDX-License-Identifier: MIT */
/* Makes the text that twz-obj prints for a kring. */
#include "inside.h"

static void add_purpose(struct line *l, uint32_t purpose)
{
    static const char *const names[] = { " sign", " login", " recover" };

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (purpose >> i & 1)
            line_add_string(l, names[i]);
    }
}

static void show_key(const struct kring_key *key, type_line line, void *ctx)
{
    static const char *const trust[] = { "unknown", "never", "known", "own" };
    struct line l = { 0 };

    line_add_string(&l, "ku ");
    line_add_id(&l, key->ku);
    line_add_string(&l, " ");
    line_add_string(&l, trust[key->trust]);
    line_add_string(&l, ", for");
    add_purpose(&l, key->purpose);
    line_add_string(&l, key->purpose ? ", kr " : " nothing, kr ");
    line_add_id(&l, key->kr);
    line(ctx, l.text);
}

int kring_show(const twzobj *obj, type_line line, void *ctx)
{
    struct line l = { 0 };
    struct kring ring;
    int err = kring_read(obj, &ring);

    if (err < 0)
        return err;
    line_add_string(&l, "keyring, keys ");
    line_add_decimal(&l, ring.count);
    line(ctx, l.text);
    for (uint64_t i = 0; i < ring.count; i++)
        show_key(&ring.key[i], line, ctx);
    return 0;
}

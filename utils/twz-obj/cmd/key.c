/* SPDX-License-Identifier: MIT */
/*
 * key new, show, export, seal, import. kus.c has the crash protocol of the last two. A host file
 * appears whole or not at all (host_file.h). Secrets are in struct sign_key, which each path wipes.
 */
#include <sign/ku.h>
#include <stdio.h>
#include <twz/error.h>

#include "command.h"
#include "ids.h"
#include "kus.h"
#include "out.h"
#include "passphrase.h"
#include "secret_file.h"

int cmd_key_new(struct tool *tool, const struct args *args)
{
    const char *path = args->argv[0], *label = args_option(args, "label");
    const char *fd = args_option(args, "passphrase-fd");
    struct passphrase passphrase = { 0 };
    struct sign_key key;
    int err;

    (void)tool;
    if (fd && args_flag(args, "no-passphrase"))
        return fail(TOOL_USAGE, "key new: give --passphrase-fd or --no-passphrase, not both");
    err = sign_key_make(&key, label ? label : "");
    if (err < 0)
        return fail(TOOL_USAGE, "--label %s: longer than %u bytes", label, SEC_LABEL - 1);
    err = TOOL_OK;
    if (!args_flag(args, "no-passphrase"))
        err = passphrase_read(&passphrase, path, fd, true);
    if (err == TOOL_OK)
        err = secret_file_save(path, &key, passphrase.text, passphrase.len);
    sign_key_wipe(&key);
    passphrase_wipe(&passphrase);
    return err;
}

/* --- show, export --------------------------------------------------------------------------- */

static const char *protection_text(uint32_t protection)
{
    switch (protection) {
    case KEYFILE_PLAIN: return "none";
    case KEYFILE_ARGON2ID: return "passphrase";
    default: return "public keys only";
    }
}

static void key_text(char text[2 * SEC_KEY + 1], const uint8_t key[SEC_KEY])
{
    for (unsigned i = 0; i < SEC_KEY; i++)
        snprintf(text + 2 * i, 3, "%02x", key[i]);
}

static void show_key(const char *path, const struct sec_ku *ku, uint32_t protection)
{
    char signing[2 * SEC_KEY + 1], recovery[2 * SEC_KEY + 1], kuid[OUT_ID_TEXT];

    out_id_text(kuid, ku_objid(ku), 32);
    key_text(signing, ku->signing);
    key_text(recovery, ku->recovery);
    if (out_is_json()) {
        out_begin();
        out_str("file", path);
        out_str("label", ku->label);
        out_id("kuid", ku_objid(ku));
        out_str("signing", signing);
        out_str("recovery", recovery);
        out_str("protection", protection_text(protection));
        out_end();
        return;
    }
    printf("%-11s", "file");
    out_name(path);
    printf("\n%-11s", "label");
    out_name(ku->label);
    printf("\n%-11s%s\n%-11s%s\n%-11s%s\n", "kuid", kuid, "signing", signing, "recovery", recovery);
    printf("%-11s%s\n", "protection", protection_text(protection));
}

int cmd_key_show(struct tool *tool, const struct args *args)
{
    int err = TOOL_OK;

    (void)tool;
    for (int i = 0; i < args->argc; i++) {
        struct sec_ku ku;
        uint32_t protection;
        int one = secret_file_public(args->argv[i], &ku, &protection);

        if (one == TOOL_OK)
            show_key(args->argv[i], &ku, protection);
        err = fail_first(err, one);
    }
    return err;
}

int cmd_key_export(struct tool *tool, const struct args *args)
{
    struct sec_ku ku;
    int err = secret_file_public(args->argv[0], &ku, NULL);

    (void)tool;
    return err == TOOL_OK ? secret_file_write(args->argv[1], &ku, sizeof(ku)) : err;
}

/* --- seal, import -------------------------------------------------------------------------- */

static int make_ku(struct tool *tool, const struct args *args, bool exported)
{
    const char *path = args->argc > 1 ? args->argv[1] : NULL;
    char text[OUT_ID_TEXT];
    struct sec_ku ku;
    uint32_t protection;
    objid_t id;
    int err = secret_file_public(args->argv[0], &ku, &protection);

    if (err == TOOL_OK && exported != (protection == SECRET_FILE_PUBLIC))
        err = fail(TOOL_USAGE, "%s: %s", args->argv[0],
                   exported ? "a key file: key seal makes its ku, or export it first"
                            : "exported keys: key import makes their ku");
    if (err == TOOL_OK)
        err = ku_create(tool->pool, path, &ku, &id);
    if (err != TOOL_OK)
        return err;
    if (out_is_json()) {
        out_begin();
        out_id("id", id);
        out_str("label", ku.label);
        out_end();
    } else {
        puts(out_id_text(text, id, ids_shown(tool->pool, id)));
    }
    return TOOL_OK;
}

int cmd_key_seal(struct tool *tool, const struct args *args)
{
    return make_ku(tool, args, false);
}

int cmd_key_import(struct tool *tool, const struct args *args)
{
    return make_ku(tool, args, true);
}

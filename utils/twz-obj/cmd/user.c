/* SPDX-License-Identifier: MIT */
/* user add, user show. users.c has the crash protocol. */
#include <sign/keyfile.h>
#include <stdio.h>
#include <string.h>
#include <twz/error.h>

#include "command.h"
#include "ident.h"
#include "kus.h"
#include "out.h"
#include "secret_file.h"
#include "users.h"

_Static_assert(sizeof(struct key_file) <= KR_SEALED, "a kr holds a key file");

/* --- add ------------------------------------------------------------------------------------ */

/* The ku that --ku names, and its keys. */
static int find_ku(struct tool *tool, const char *text, objid_t *kuid, struct sec_ku *ku)
{
    struct ident owner;
    int err = ident_one(tool, text, &owner);

    if (err != TOOL_OK)
        return err;
    *kuid = owner.id;
    err = ku_read(tool->pool, owner.id, ku);
    if (err < 0)
        err = fail(TOOL_NO, "%s: is no ku: key seal makes one", owner.text);
    ident_done(&owner);
    return err;
}

/* Take over a key file as it is: its secret part is sealed, or it is refused. */
static int read_key_file(const char *path, struct kr *kr, struct sec_ku *ku)
{
    struct key_file file;
    int err = secret_file_read(path, &file, sizeof(file), "key file");

    if (err == TOOL_OK) {
        err = keyfile_check(&file);
        err = err < 0 ? fail_twz(path, err) : TOOL_OK;
    }
    if (err == TOOL_OK && file.protection != KEYFILE_ARGON2ID)
        err = fail(TOOL_NO, "%s: has no passphrase: no pool may hold it", path);
    if (err == TOOL_OK) {
        *kr = (struct kr){ .protection = KR_ARGON2ID, .len = sizeof(file) };
        memcpy(kr->sealed, &file, sizeof(file));
        *ku = file.ku;
    }
    explicit_bzero(&file, sizeof(file)); /* a file without a passphrase is a secret */
    return err;
}

/* Fill in the keys of the new user from --ku and --key. */
static int read_keys(struct tool *tool, const struct args *args, struct users_new *new,
                     struct kr *kr)
{
    const char *ku_text = args_option(args, "ku"), *path = args_option(args, "key");
    struct sec_ku ku, of_file;
    int err = TOOL_OK;

    if (path && !ku_text)
        return fail(TOOL_USAGE, "user add: --key needs --ku: the public keys in the pool");
    if (ku_text)
        err = find_ku(tool, ku_text, &new->kuid, &ku);
    if (err == TOOL_OK && path) {
        err = read_key_file(path, kr, &of_file);
        if (err == TOOL_OK && memcmp(&ku, &of_file, sizeof(ku)) != 0)
            err = fail(TOOL_NO, "%s: has other keys than %s", path, ku_text);
        kr->ku = new->kuid;
        new->keys = kr;
    }
    return err;
}

int cmd_user_add(struct tool *tool, const struct args *args)
{
    char home[sizeof("/home/") + USER_NAME];
    struct users_new new = { .name = args->argv[0], .home = args_option(args, "home") };
    struct kr kr;
    int err = read_keys(tool, args, &new, &kr);

    if (err == TOOL_OK && strlen(new.name) >= USER_NAME)
        err = fail(TOOL_NO, "%s: longer than %u bytes", new.name, USER_NAME - 1);
    if (err != TOOL_OK)
        return err;
    snprintf(home, sizeof(home), "/home/%s", new.name);
    if (!new.home)
        new.home = home;
    return users_add(tool->pool, &new);
}

/* --- show ----------------------------------------------------------------------------------- */

static const char *trust_text(uint32_t trust)
{
    static const char *const text[] = { "unknown", "never", "known", "own" };

    return text[trust < KRING_TRUSTS ? trust : 0];
}

/* "sign, login, recover" */
static const char *purpose_text(char text[32], uint32_t purpose)
{
    static const char *const name[] = { "sign", "login", "recover" };

    text[0] = '\0';
    for (unsigned i = 0; i < 3; i++) {
        if (purpose >> i & 1)
            snprintf(text + strlen(text), 32 - strlen(text), "%s%s", text[0] ? ", " : "", name[i]);
    }
    return text;
}

static void out_user(const struct users_info *info)
{
    char purpose[32];

    out_begin();
    out_str("name", info->user.name);
    out_id("kuid", info->user.kuid);
    out_id("context", info->user.context);
    out_id("home", info->user.home);
    out_id("kring", info->user.kring);
    out_id("kr", info->kr);
    out_list_begin("keys");
    for (uint64_t i = 0; i < info->ring.count; i++) {
        const struct kring_key *key = &info->ring.key[i];

        out_begin();
        out_id("ku", key->ku);
        out_id("kr", key->kr);
        out_str("trust", trust_text(key->trust));
        out_str("purpose", purpose_text(purpose, key->purpose));
        out_end();
    }
    out_list_end();
    out_end();
}

static void print_id(const char *what, objid_t id)
{
    char text[OUT_ID_TEXT];

    printf("  %-8s %s\n", what, objid_is_none(id) ? "none" : out_id_text(text, id, 32));
}

static void print_user(const struct users_info *info)
{
    char purpose[32], text[OUT_ID_TEXT];

    puts(info->user.name);
    print_id("kuid", info->user.kuid);
    print_id("context", info->user.context);
    print_id("home", info->user.home);
    print_id("kring", info->user.kring);
    print_id("kr", info->kr);
    for (uint64_t i = 0; i < info->ring.count; i++) {
        const struct kring_key *key = &info->ring.key[i];

        printf("  %-8s %s %s, for %s\n", "key", out_id_text(text, key->ku, 32),
               trust_text(key->trust), purpose_text(purpose, key->purpose));
    }
}

int cmd_user_show(struct tool *tool, const struct args *args)
{
    struct users_info info;
    int err = TOOL_OK;

    for (int i = 0; i < args->argc; i++) {
        int one = users_get(tool->pool, args->argv[i], &info);

        if (one == TOOL_OK && out_is_json())
            out_user(&info);
        else if (one == TOOL_OK)
            print_user(&info);
        err = fail_first(err, one);
    }
    return err;
}

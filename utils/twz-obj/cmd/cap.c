/* SPDX-License-Identifier: MIT */
/*
 * cap new, show, verify, revoke.
 *
 * Crash protocol of revoke: store_obj_revoke raises the epoch by one commit word. The statement was
 * checked before, as the kernel checks it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "capability_text.h"
#include "command.h"
#include "ident.h"
#include "kus.h"
#include "out.h"
#include "secret_file.h"
#include "text.h"

/* --- operands ------------------------------------------------------------------------------- */

/* Open the pool for commands that can do without one. */
static int open_pool(struct tool *tool)
{
    return tool->pool || !tool->pool_path ? TOOL_OK
                                          : pool_open(&tool->pool, tool->pool_path, POOL_READ);
}

static int close_pool(struct tool *tool)
{
    int err = tool->pool ? pool_close(tool->pool) : TOOL_OK;

    tool->pool = NULL;
    return err;
}

/* The object that a word names, and its epoch and owner. Without the pool, or if the pool does not
 * have it, the word must be a whole ID, and *known is false. */
struct subject {
    objid_t id, kuid;
    uint64_t epoch;
    bool known;
};

static int find_subject(struct tool *tool, const char *text, struct subject *subject)
{
    bool whole = text_objid(text, &subject->id);
    struct store_stat stat;
    struct ident ident;
    uint32_t row;
    int err;

    subject->known = false;
    if (!tool->pool && !whole)
        return fail(TOOL_USAGE, "%s: give the 32 digits of an ID, or a pool", text);
    if (!tool->pool || (whole && store_lookup(tool->pool->store, subject->id, &row) < 0))
        return TOOL_OK;
    err = ident_one(tool, text, &ident);
    if (err != TOOL_OK)
        return err;
    subject->id = ident.id;
    err = store_obj_info(tool->pool->store, ident.row, &stat);
    if (err == 0 && !stat.damaged) {
        subject->kuid = stat.kuid;
        subject->epoch = stat.revoke_epoch;
        subject->known = true;
    }
    err = err < 0 || stat.damaged ? fail_twz(ident.text, -TWZ_EDAMAGED) : TOOL_OK;
    ident_done(&ident);
    return err;
}

/* A number of an option; *value stays as it is without the option. */
static int parse_number(const struct args *args, const char *option, uint64_t *value)
{
    const char *text = args_option(args, option);

    if (text && !text_size(text, value))
        return fail(TOOL_USAGE, "--%s %s: give a number", option, text);
    return TOOL_OK;
}

static int parse_time(const struct args *args, const char *option, uint64_t now, uint64_t *value)
{
    const char *text = args_option(args, option);

    if (text && !text_time(text, now, value))
        return fail(TOOL_USAGE, "--%s %s: give seconds since 1970, or +N with s, m, h or d", option,
                    text);
    return TOOL_OK;
}

/* --- new ------------------------------------------------------------------------------------ */

/* START:LEN[:ALIGN] */
static int parse_gate(const struct args *args, struct sec_cap *cap)
{
    const char *text = args_option(args, "gate");
    char *copy, *part[3] = { NULL }, *rest;
    bool valid;

    if (!text)
        return TOOL_OK;
    copy = strdup(text);
    if (!copy)
        return fail(TOOL_FULL, "out of memory");
    cap->gate_align = 1;
    part[0] = strtok_r(copy, ":", &rest);
    part[1] = part[0] ? strtok_r(NULL, ":", &rest) : NULL;
    part[2] = part[1] ? strtok_r(NULL, "", &rest) : NULL;
    valid = part[1] && text_size(part[0], &cap->gate_start) && text_size(part[1], &cap->gate_len) &&
            cap->gate_len > 0 && (!part[2] || text_size(part[2], &cap->gate_align));
    free(copy);
    return valid ? TOOL_OK : fail(TOOL_USAGE, "--gate %s: give START:LEN or START:LEN:ALIGN", text);
}

/* The target, its epoch, and the context. *owner: the kuid that must sign, if it is known. */
static int parse_parties(struct tool *tool, const struct args *args, struct sec_cap *cap,
                         objid_t *owner)
{
    struct subject target = { 0 }, accessor = { 0 }, by = { 0 };
    const char *delegator = args_option(args, "by");
    int err = find_subject(tool, args->argv[0], &target);

    if (err == TOOL_OK)
        err = find_subject(tool, args_option(args, "to"), &accessor);
    if (err == TOOL_OK && delegator)
        err = find_subject(tool, delegator, &by);
    if (err != TOOL_OK)
        return err;
    memcpy(cap->domain, delegator ? SEC_DOMAIN_DELEGATION : SEC_DOMAIN_CAPABILITY, SEC_DOMAIN);
    cap->form = args_flag(args, "kuid") ? SEC_FORM_KUID : SEC_FORM_OBJECT;
    cap->target = target.id;
    cap->accessor = accessor.id;
    cap->epoch = target.epoch;
    cap->delegator = by.id;
    cap->delegator_epoch = by.epoch;
    if ((!target.known && !args_flag(args, "epoch")) ||
        (delegator && !by.known && !args_flag(args, "by-epoch")))
        return fail(TOOL_USAGE, "cap new: an epoch is not known: give a pool with the object, or "
                                "--epoch (and --by-epoch)");
    *owner = (delegator ? by.known : target.known) || args_flag(args, "kuid")
                 ? cap_signer(cap, delegator ? by.kuid : target.kuid)
                 : TWZ_OBJID_NONE;
    err = parse_number(args, "epoch", &cap->epoch);
    return fail_first(err, parse_number(args, "by-epoch", &cap->delegator_epoch));
}

static int parse_capability(struct tool *tool, const struct args *args, struct sec_cap *cap,
                            objid_t *owner)
{
    const char *perms = args_option(args, "perms");
    uint64_t now = capability_now(tool->pool);
    int err = parse_parties(tool, args, cap, owner);

    if (err == TOOL_OK && !text_perms(perms, &cap->perms))
        err = fail(TOOL_USAGE, "--perms %s: give letters of rwxud", perms);
    if (err == TOOL_OK)
        err = parse_gate(args, cap);
    if (err == TOOL_OK)
        err = parse_time(args, "from", now, &cap->not_before);
    if (err == TOOL_OK)
        err = parse_time(args, "until", now, &cap->expires);
    return err;
}

/* Refuse a key that is not the owner's, where the pool has the owner's ku. */
static int check_owner(const struct tool *tool, const char *path, const struct sign_key *key,
                       objid_t owner)
{
    struct sec_ku ku;

    if (!tool->pool || objid_is_none(owner) || ku_read(tool->pool, owner, &ku) < 0)
        return TOOL_OK;
    if (memcmp(ku.signing, key->ku.signing, SEC_KEY) == 0)
        return TOOL_OK;
    return fail(TOOL_DENIED, "%s: is not the key of the owner " IDFMT ": nothing was signed", path,
                IDPR(owner));
}

static int sign_capability(struct tool *tool, const struct args *args, struct sec_cap *cap,
                           objid_t owner)
{
    const char *path = args_option(args, "key");
    struct sign_key key;
    enum sec_reason reason;
    int err = secret_file_open(path, args_option(args, "passphrase-fd"), &key);

    if (err != TOOL_OK)
        return err;
    err = check_owner(tool, path, &key, owner);
    reason = err == TOOL_OK ? sign_cap(cap, &key) : SEC_REASON_NONE;
    sign_key_wipe(&key);
    if (reason != SEC_REASON_NONE)
        return fail(TOOL_USAGE, "cap new: no capability can be %s", sec_reason_text(reason));
    return err;
}

int cmd_cap_new(struct tool *tool, const struct args *args)
{
    struct sec_cap cap = { 0 };
    objid_t owner = TWZ_OBJID_NONE;
    int err;

    if (!args_flag(args, "key") || !args_flag(args, "to") || !args_flag(args, "perms"))
        return fail(TOOL_USAGE, "cap new: give --key, --to and --perms");
    if (out_is_json() && strcmp(args->argv[1], "-") == 0)
        return fail(TOOL_USAGE, "cap new: with --json, give a file and not -");
    err = open_pool(tool);
    if (err == TOOL_OK)
        err = parse_capability(tool, args, &cap, &owner);
    if (err == TOOL_OK)
        err = sign_capability(tool, args, &cap, owner);
    if (err == TOOL_OK)
        err = secret_file_write(args->argv[1], &cap, sizeof(cap));
    if (err == TOOL_OK && out_is_json())
        capability_show(args->argv[1], &cap);
    return fail_first(err, close_pool(tool));
}

/* --- show, verify --------------------------------------------------------------------------- */

static int read_capability(const char *path, struct sec_cap *cap)
{
    enum sec_reason reason;
    int err = secret_file_read(path, cap, sizeof(*cap), "capability");

    if (err != TOOL_OK)
        return err;
    reason = cap_check_form(cap);
    return reason == SEC_REASON_NONE
               ? TOOL_OK
               : fail(TOOL_DAMAGED, "%s: is no capability: %s", path, sec_reason_text(reason));
}

int cmd_cap_show(struct tool *tool, const struct args *args)
{
    int err = TOOL_OK;

    (void)tool;
    for (int i = 0; i < args->argc; i++) {
        struct sec_cap cap;
        int one = read_capability(args->argv[i], &cap);

        if (one == TOOL_OK)
            capability_show(args->argv[i], &cap);
        err = fail_first(err, one);
    }
    return err;
}

/* The reason without a pool: times, and the signature under the given key. */
static enum sec_reason check_alone(const struct sec_cap *cap, uint64_t time,
                                   const struct sec_ku *ku)
{
    struct cap_use use = { .target = cap->target,
                           .kuid = cap->target,
                           .accessor = cap->accessor,
                           .epoch = cap->epoch,
                           .kuid_epoch = cap->epoch,
                           .delegator_epoch = cap->delegator_epoch,
                           .time = time };
    enum sec_reason reason = cap_check_use(cap, &use);

    if (reason == SEC_REASON_NONE && ku && !sign_verify_cap(cap, ku))
        reason = SEC_REASON_SIGNATURE;
    return reason;
}

static void show_result(const char *path, enum sec_reason reason)
{
    if (out_is_json()) {
        out_begin();
        out_str("file", path);
        out_bool("valid", reason == SEC_REASON_NONE);
        out_str("reason", sec_reason_text(reason));
        out_end();
        return;
    }
    out_name(path);
    printf(": %s\n", sec_reason_text(reason));
}

int cmd_cap_verify(struct tool *tool, const struct args *args)
{
    const char *key = args_option(args, "key");
    enum sec_reason reason = SEC_REASON_NONE;
    struct sec_cap cap;
    struct sec_ku ku;
    uint64_t time;
    int err = read_capability(args->argv[0], &cap);

    if (err == TOOL_OK && !key && !tool->pool_path)
        err = fail(TOOL_USAGE, "cap verify: give --key, or a pool that has the owner's ku");
    if (err == TOOL_OK)
        err = open_pool(tool);
    time = capability_now(tool->pool);
    if (err == TOOL_OK)
        err = parse_time(args, "at", time, &time);
    if (err == TOOL_OK && key)
        err = secret_file_public(key, &ku, NULL);
    if (err == TOOL_OK && key)
        reason = check_alone(&cap, time, &ku);
    if (err == TOOL_OK && reason == SEC_REASON_NONE && tool->pool)
        reason = capability_refused(tool->pool, &cap, time);
    if (err == TOOL_OK && key && reason == SEC_REASON_KEY)
        reason = SEC_REASON_NONE; /* checked under the given key */
    if (err == TOOL_OK) {
        show_result(args->argv[0], reason);
        err = reason == SEC_REASON_NONE ? TOOL_OK : TOOL_NO;
    }
    return fail_first(err, close_pool(tool));
}

/* --- revoke --------------------------------------------------------------------------------- */

/* The ku that the statement must be signed by. The pool must have it: what has no owner's key there
 * has no valid capabilities either. */
static int owner_of(struct tool *tool, const struct ident *target, struct subject *subject,
                    struct sec_ku *ku)
{
    struct store_stat stat;
    objid_t owner;
    int err = store_obj_info(tool->pool->store, target->row, &stat);

    if (err < 0 || stat.damaged)
        return fail_twz(target->text, err < 0 ? err : -TWZ_EDAMAGED);
    owner = objid_is_none(stat.kuid) ? target->id : stat.kuid;
    *subject = (struct subject){ target->id, stat.kuid, stat.revoke_epoch, true };
    if (ku_read(tool->pool, owner, ku) < 0)
        return fail(TOOL_NO, "%s: its owner's ku is not in the pool, so no capability is valid",
                    target->text);
    return TOOL_OK;
}

/* Make the statement, and check it as the kernel does. */
static int make_statement(const struct args *args, const struct subject *subject,
                          const struct sec_ku *ku, struct sec_revocation *statement)
{
    struct sign_key key;
    enum sec_reason reason;
    int err = secret_file_open(args_option(args, "key"), args_option(args, "passphrase-fd"), &key);

    if (err != TOOL_OK)
        return err;
    memcpy(statement->domain, SEC_DOMAIN_REVOCATION, SEC_DOMAIN);
    statement->target = subject->id;
    reason = sign_revocation(statement, &key);
    sign_key_wipe(&key);
    if (reason == SEC_REASON_NONE)
        reason = revocation_check_use(statement, subject->id, subject->epoch);
    if (reason == SEC_REASON_NONE && !sign_verify_revocation(statement, ku))
        return fail(TOOL_DENIED, "%s: is not the key of the owner: nothing was revoked",
                    args_option(args, "key"));
    if (reason != SEC_REASON_NONE)
        return fail(TOOL_USAGE, "--epoch %llu: the epoch is %llu, and grows by %u at most",
                    (unsigned long long)statement->epoch, (unsigned long long)subject->epoch,
                    SEC_EPOCH_STEP);
    return TOOL_OK;
}

static int apply_statement(struct tool *tool, const struct ident *target,
                           const struct sec_revocation *statement)
{
    int err = store_obj_revoke(tool->pool->store, target->row, statement->epoch);

    if (err < 0)
        return fail_twz(target->text, err);
    if (out_is_json()) {
        out_begin();
        out_id("id", target->id);
        out_u64("epoch", statement->epoch);
        out_end();
    }
    return TOOL_OK;
}

int cmd_cap_revoke(struct tool *tool, const struct args *args)
{
    const char *file = args_option(args, "statement");
    struct sec_revocation statement = { 0 };
    struct subject subject = { 0 };
    struct ident target;
    struct sec_ku ku;
    int err;

    if (!args_flag(args, "key"))
        return fail(TOOL_USAGE, "cap revoke: give --key");
    err = ident_one(tool, args->argv[0], &target);
    if (err != TOOL_OK)
        return err;
    err = owner_of(tool, &target, &subject, &ku);
    statement.epoch = subject.epoch + 1;
    if (err == TOOL_OK)
        err = parse_number(args, "epoch", &statement.epoch);
    if (err == TOOL_OK)
        err = make_statement(args, &subject, &ku, &statement);
    if (err == TOOL_OK)
        err = file ? secret_file_write(file, &statement, sizeof(statement))
                   : apply_statement(tool, &target, &statement);
    ident_done(&target);
    return err;
}

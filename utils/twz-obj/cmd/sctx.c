/* SPDX-License-Identifier: MIT */
/* sctx new, add, show, check. contexts.c has the crash protocols. */
#include <stdio.h>
#include <twz/error.h>
#include <verify/context.h>

#include "capability_text.h"
#include "command.h"
#include "contexts.h"
#include "ident.h"
#include "ids.h"
#include "kus.h"
#include "out.h"
#include "secret_file.h"
#include "text.h"

static int parse_perms(const struct args *args, const char *option, uint32_t *perms)
{
    const char *text = args_option(args, option);

    if (text && !text_perms(text, perms))
        return fail(TOOL_USAGE, "--%s %s: give letters of rwxud", option, text);
    return TOOL_OK;
}

/* The ID of the ku that --owner names. */
static int parse_owner(struct tool *tool, const struct args *args, objid_t *kuid)
{
    const char *text = args_option(args, "owner");
    struct ident owner;
    struct sec_ku ku;
    int err;

    if (!text)
        return TOOL_OK;
    err = ident_one(tool, text, &owner);
    if (err != TOOL_OK)
        return err;
    *kuid = owner.id;
    err = ku_read(tool->pool, owner.id, &ku);
    if (err < 0)
        err = fail(TOOL_NO, "%s: is no ku: key seal makes one", owner.text);
    ident_done(&owner);
    return err;
}

int cmd_sctx_new(struct tool *tool, const struct args *args)
{
    struct context_spec spec = { .perms = TWZ_READ, .default_mask = TWZ_PERMS };
    char text[OUT_ID_TEXT];
    objid_t id;
    int err = parse_perms(args, "perms", &spec.perms);

    err = fail_first(err, parse_perms(args, "mask", &spec.default_mask));
    err = fail_first(err, parse_perms(args, "without", &spec.global_mask));
    if (err == TOOL_OK && (spec.perms & TWZ_WRITE) != 0)
        err = fail(TOOL_USAGE, "--perms: no thread may write a context: leave w out");
    if (err == TOOL_OK)
        err = parse_owner(tool, args, &spec.kuid);
    if (err == TOOL_OK && spec.perms == 0 && objid_is_none(spec.kuid))
        err = fail(TOOL_USAGE,
                   "--perms: no program could use this context: give permissions or --owner");
    if (err == TOOL_OK)
        err = context_create(tool->pool, args->argc ? args->argv[0] : NULL, &spec, &id);
    if (err != TOOL_OK)
        return err;
    if (out_is_json()) {
        out_begin();
        out_id("id", id);
        out_end();
    } else {
        puts(out_id_text(text, id, ids_shown(tool->pool, id)));
    }
    return TOOL_OK;
}

/* --- add ------------------------------------------------------------------------------------ */

static int open_context(struct tool *tool, const char *text, struct ident *ident,
                        struct sec_context *head)
{
    const char *problem;
    int err = ident_one(tool, text, ident);

    if (err != TOOL_OK)
        return err;
    err = context_read(tool->pool, ident->row, head, &problem);
    if (problem)
        err = fail(TOOL_DAMAGED, "%s: the context %s", ident->text, problem);
    else if (err == -TWZ_ETYPE)
        err = fail(TOOL_NO, "%s: is no security context: sctx new makes one", ident->text);
    else if (err < 0)
        err = fail_twz(ident->text, err);
    if (err != TOOL_OK)
        ident_done(ident);
    return err;
}

/* Checks what can be checked without knowing the present rights of others. */
static int check_capability(struct tool *tool, const char *path, objid_t context,
                            const struct sec_cap *cap)
{
    enum sec_reason reason = cap_check_form(cap);

    if (reason == SEC_REASON_NONE && !objid_equal(cap->accessor, context))
        reason = SEC_REASON_ACCESSOR;
    if (reason == SEC_REASON_NONE)
        reason = capability_signature(tool->pool, cap);
    if (reason == SEC_REASON_KEY)
        fail_warn("%s: its signature is not checked: the owner's ku is not in this pool", path);
    else if (reason != SEC_REASON_NONE)
        return fail(TOOL_NO, "%s: %s: the context stays as it is", path, sec_reason_text(reason));
    return TOOL_OK;
}

static int add_file(struct tool *tool, const struct ident *context, const char *path)
{
    struct sec_cap cap;
    int err = secret_file_read(path, &cap, sizeof(cap), "capability");

    if (err == TOOL_OK)
        err = check_capability(tool, path, context->id, &cap);
    if (err != TOOL_OK)
        return err;
    err = context_insert(tool->pool, context->row, context->id, &cap);
    if (err == -TWZ_EEXIST)
        return fail(TOOL_NO, "%s: the context has this capability already", path);
    if (err == -TWZ_EFULL)
        return fail(TOOL_FULL, "%s: the context has no place for one more of this object", path);
    return err < 0 ? fail_twz(context->text, err) : TOOL_OK;
}

int cmd_sctx_add(struct tool *tool, const struct args *args)
{
    struct sec_context head;
    struct ident context;
    int err = open_context(tool, args->argv[0], &context, &head);

    if (err != TOOL_OK)
        return err;
    for (int i = 1; i < args->argc; i++)
        err = fail_first(err, add_file(tool, &context, args->argv[i]));
    ident_done(&context);
    return err;
}

/* --- show ----------------------------------------------------------------------------------- */

static int show_bucket(void *ctx, uint32_t number, const struct sec_bucket *bucket)
{
    (void)ctx;
    (void)number;
    for (uint32_t i = 0; i < SEC_PLACES; i++) {
        if (bucket->commit[i] == 1)
            capability_show(NULL, &bucket->cap[i]);
    }
    return 0;
}

static void show_head(const struct ident *context, const struct sec_context *head)
{
    char id[OUT_ID_TEXT], perms[OUT_PERMS_TEXT];

    if (out_is_json()) {
        out_begin();
        out_id("id", context->id);
        out_str("mask", out_perms_text(perms, head->default_mask));
        out_str("without", out_perms_text(perms, head->global_mask));
        out_list_begin("overrides");
        for (uint64_t i = 0; i < head->noverrides; i++) {
            out_begin();
            out_id("id", head->override[i].id);
            out_str("mask", out_perms_text(perms, (uint32_t)head->override[i].mask));
            out_end();
        }
        out_list_end();
        out_list_begin("capabilities");
        return;
    }
    printf("%-11s%s\n", "context", out_id_text(id, context->id, 32));
    printf("%-11s%s\n", "mask", out_perms_text(perms, head->default_mask));
    printf("%-11s%s\n", "without", out_perms_text(perms, head->global_mask));
    for (uint64_t i = 0; i < head->noverrides; i++)
        printf("%-11s%s  %s\n", "override", out_id_text(id, head->override[i].id, 32),
               out_perms_text(perms, (uint32_t)head->override[i].mask));
}

int cmd_sctx_show(struct tool *tool, const struct args *args)
{
    struct sec_context head;
    struct ident context;
    int err = open_context(tool, args->argv[0], &context, &head);

    if (err != TOOL_OK)
        return err;
    show_head(&context, &head);
    err = context_each(tool->pool, context.row, show_bucket, NULL);
    if (out_is_json()) {
        out_list_end();
        out_end();
    }
    err = err < 0 ? fail_twz(context.text, err) : TOOL_OK;
    ident_done(&context);
    return err;
}

/* --- check ---------------------------------------------------------------------------------- */

struct checking {
    struct tool *tool;
    const struct ident *context;
    uint64_t count;
    int err; /* exit code after messages */
};

static int check_bucket(void *ctx, uint32_t number, const struct sec_bucket *bucket)
{
    struct checking *checking = ctx;
    const char *problem = sec_bucket_problem(bucket, number, checking->context->id);

    if (problem) {
        checking->err = fail_first(checking->err, fail(TOOL_DAMAGED, "%s: bucket %u %s",
                                                       checking->context->text, number, problem));
        return 0;
    }
    for (uint32_t i = 0; i < SEC_PLACES; i++) {
        enum sec_reason reason;

        if (bucket->commit[i] != 1)
            continue;
        checking->count++;
        reason = capability_refused(checking->tool->pool, &bucket->cap[i],
                                    capability_now(checking->tool->pool));
        if (reason != SEC_REASON_NONE)
            checking->err =
                fail_first(checking->err, fail(TOOL_NO, "%s: the capability for " IDFMT ": %s",
                                               checking->context->text, IDPR(bucket->cap[i].target),
                                               sec_reason_text(reason)));
    }
    return 0;
}

static int check_context(struct tool *tool, const char *text)
{
    struct checking checking = { .tool = tool };
    struct sec_context head;
    struct ident context;
    int err = open_context(tool, text, &context, &head);

    if (err != TOOL_OK)
        return err;
    checking.context = &context;
    err = context_each(tool->pool, context.row, check_bucket, &checking);
    err = err < 0 ? fail_twz(context.text, err) : checking.err;
    if (out_is_json()) {
        out_begin();
        out_id("id", context.id);
        out_u64("capabilities", checking.count);
        out_bool("valid", err == TOOL_OK);
        out_end();
    } else if (err == TOOL_OK) {
        out_name(context.text);
        printf(": %llu capabilities, all valid\n", (unsigned long long)checking.count);
    }
    ident_done(&context);
    return err;
}

int cmd_sctx_check(struct tool *tool, const struct args *args)
{
    int err = TOOL_OK;

    for (int i = 0; i < args->argc; i++)
        err = fail_first(err, check_context(tool, args->argv[i]));
    return err;
}

/* SPDX-License-Identifier: MIT */
#include "capability_text.h"

#include <sign/sign.h>
#include <stdio.h>
#include <time.h>
#include <twz/error.h>

#include "kus.h"
#include "out.h"

static const char *kind_text(const struct sec_cap *cap)
{
    return cap_is_delegation(cap) ? "delegation" : "capability";
}

static void show_json(const char *path, const struct sec_cap *cap)
{
    char perms[OUT_PERMS_TEXT];

    out_begin();
    if (path)
        out_str("file", path);
    out_str("kind", kind_text(cap));
    out_str("form", cap->form == SEC_FORM_KUID ? "kuid" : "object");
    out_id("target", cap->target);
    out_id("accessor", cap->accessor);
    out_str("perms", out_perms_text(perms, cap->perms));
    out_u64("epoch", cap->epoch);
    out_u64("not_before", cap->not_before);
    out_u64("expires", cap->expires);
    if (cap_is_delegation(cap)) {
        out_id("delegator", cap->delegator);
        out_u64("delegator_epoch", cap->delegator_epoch);
    }
    if (cap->gate_len != 0) {
        out_u64("gate_start", cap->gate_start);
        out_u64("gate_length", cap->gate_len);
        out_u64("gate_align", cap->gate_align);
    }
    out_end();
}

static void show_time(const char *label, uint64_t time)
{
    time_t seconds = (time_t)time;
    struct tm tm;
    char text[32];

    if (time == 0)
        return;
    if (time >> 40 || !gmtime_r(&seconds, &tm) ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        snprintf(text, sizeof(text), "%llu", (unsigned long long)time);
    printf("  %-12s%s\n", label, text);
}

void capability_show(const char *path, const struct sec_cap *cap)
{
    char id[OUT_ID_TEXT], perms[OUT_PERMS_TEXT];

    if (out_is_json()) {
        show_json(path, cap);
        return;
    }
    printf("%s", kind_text(cap));
    if (path) {
        fputs("  ", stdout);
        out_name(path);
    }
    printf("\n  %-12s%s%s\n", "target", out_id_text(id, cap->target, 32),
           cap->form == SEC_FORM_KUID ? " and all objects of this owner" : "");
    printf("  %-12s%s\n", "accessor", out_id_text(id, cap->accessor, 32));
    printf("  %-12s%s\n", "rights", out_perms_text(perms, cap->perms));
    printf("  %-12s%llu\n", "epoch", (unsigned long long)cap->epoch);
    if (cap_is_delegation(cap))
        printf("  %-12s%s, epoch %llu\n", "delegator", out_id_text(id, cap->delegator, 32),
               (unsigned long long)cap->delegator_epoch);
    if (cap->gate_len != 0)
        printf("  %-12s%#llx, %#llx bytes, aligned to %llu\n", "gate",
               (unsigned long long)cap->gate_start, (unsigned long long)cap->gate_len,
               (unsigned long long)cap->gate_align);
    show_time("from", cap->not_before);
    show_time("until", cap->expires);
}

/* --- in a pool ------------------------------------------------------------------------------ */

uint64_t capability_now(const struct pool *pool)
{
    uint64_t now = (uint64_t)time(NULL);
    uint64_t mark = pool ? store_mono_get(pool->store, STORE_MONO_TIME) : 0;

    return now > mark ? now : mark;
}

/* Kuid and epoch of an object; those of an object that is not in the pool are 0. */
static int look_up(const struct pool *pool, objid_t id, objid_t *kuid, uint64_t *epoch)
{
    struct store_stat stat;
    uint32_t row;
    int err = store_lookup(pool->store, id, &row);

    *kuid = TWZ_OBJID_NONE;
    *epoch = 0;
    if (err >= 0)
        err = store_obj_info(pool->store, row, &stat);
    if (err < 0)
        return err;
    *kuid = stat.kuid;
    *epoch = stat.revoke_epoch;
    return 0;
}

enum sec_reason capability_signature(const struct pool *pool, const struct sec_cap *cap)
{
    bool delegation = cap_is_delegation(cap);
    struct sec_ku ku;
    objid_t kuid;
    uint64_t epoch;

    if (look_up(pool, delegation ? cap->delegator : cap->target, &kuid, &epoch) < 0 ||
        ku_read(pool, cap_signer(cap, kuid), &ku) < 0)
        return SEC_REASON_KEY;
    return sign_verify_cap(cap, &ku) ? SEC_REASON_NONE : SEC_REASON_SIGNATURE;
}

enum sec_reason capability_refused(const struct pool *pool, const struct sec_cap *cap,
                                   uint64_t time)
{
    struct cap_use use = { .target = cap->target, .accessor = cap->accessor, .time = time };
    enum sec_reason reason = cap_check_form(cap);
    objid_t kuid;

    if (reason != SEC_REASON_NONE)
        return reason;
    if (look_up(pool, cap->target, &use.kuid, &use.epoch) < 0)
        return SEC_REASON_TARGET;
    if (cap->form == SEC_FORM_KUID) {
        use.kuid = cap->target;
        use.kuid_epoch = use.epoch;
    }
    if (cap_is_delegation(cap) && look_up(pool, cap->delegator, &kuid, &use.delegator_epoch) < 0)
        return SEC_REASON_DELEGATOR;
    reason = cap_check_use(cap, &use);
    return reason == SEC_REASON_NONE ? capability_signature(pool, cap) : reason;
}

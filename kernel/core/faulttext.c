/* SPDX-License-Identifier: MIT */
/* A fault as one line of the log: kind, reason, address, object, rights, instruction. */
#include <kernel/log.h>
#include <kernel/upcall.h>
#include "faulttext.h"

static const char *const kind_texts[] = {
#define TWZ_FAULT_KIND(name, number, signal, text) [number] = text,
#include <twz/fault.def>
#undef TWZ_FAULT_KIND
};

static const char *const reason_texts[] = {
#define TWZ_FAULT_REASON(name, number, text) [number] = text,
#include <twz/fault.def>
#undef TWZ_FAULT_REASON
};

/* "rwxud" with a dash for each right that is missing. */
static const char *rights_text(unsigned rights, char out[6])
{
    static const char letters[] = "rwxud";

    for (unsigned i = 0; i < 5; i++)
        out[i] = (rights >> i & 1) != 0 ? letters[i] : '-';
    out[5] = 0;
    return out;
}

void faulttext_log(struct thread *t, const struct twz_fault *f, const char *event)
{
    uint32_t kind = f->kind < TWZ_FAULT_KINDS ? f->kind : TWZ_FAULT_DOUBLE;
    const char *reason = f->reason < TWZ_REASONS ? reason_texts[f->reason] : "";
    objid_t at = { 0, 0 }, ip = { 0, 0 };
    uint64_t at_off = 0, ip_off = 0;
    char need[6], have[6];

    upcall.locate(t, f->addr, &at, &at_off);
    upcall.locate(t, f->ip, &ip, &ip_off);
    log_printf("thread " IDFMT " %s: %s%s%s%s at %llx (object " IDFMT "+%llx), needs %s, "
               "holds %s, code %llx, ip %llx (object " IDFMT "+%llx)",
               IDPR(t->id), event, kind_texts[kind], reason[0] != 0 ? " (" : "", reason,
               reason[0] != 0 ? ")" : "", (unsigned long long)f->addr, IDPR(f->object),
               (unsigned long long)at_off, rights_text(f->need, need), rights_text(f->have, have),
               (unsigned long long)f->code, (unsigned long long)f->ip, IDPR(ip),
               (unsigned long long)ip_off);
}

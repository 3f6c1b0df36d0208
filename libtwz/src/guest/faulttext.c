/* SPDX-License-Identifier: MIT */
/* A fault as one line of text: its kind, address, object, rights needed and held. */
#include <stdbool.h>
#include <twz/faults.h>
#include <twz/name.h>
#include <twz/view.h>

#include "guest.h"

struct text {
    char *at;
    size_t space; /* without the NUL */
    size_t len;
};

static const char *const kinds[] = {
#define TWZ_FAULT_KIND(name, number, signal, text) [number] = text,
#include <twz/fault.def>
#undef TWZ_FAULT_KIND
};

static const char *const reasons[] = {
#define TWZ_FAULT_REASON(name, number, text) [number] = text,
#include <twz/fault.def>
#undef TWZ_FAULT_REASON
};

static const char *const exceptions[] = {
#define TWZ_EXCEPTION(vector, signal, text) [vector] = text,
#include <twz/arch/exception.def>
#undef TWZ_EXCEPTION
};

static void text_add(struct text *t, const char *s)
{
    for (; *s; s++) {
        if (t->len < t->space)
            t->at[t->len++] = *s;
    }
}

static void text_add_digit(struct text *t, uint64_t digit)
{
    char s[2] = { "0123456789abcdef"[digit & 15], 0 };

    text_add(t, s);
}

static void text_add_hex(struct text *t, uint64_t value, uint32_t digits)
{
    while (digits-- > 0)
        text_add_digit(t, value >> (digits * 4));
}

static void text_add_address(struct text *t, uint64_t value)
{
    uint32_t digits = 1;

    while (digits < 16 && value >> (digits * 4))
        digits++;
    text_add(t, "0x");
    text_add_hex(t, value, digits);
}

static void text_add_decimal(struct text *t, uint64_t value)
{
    if (value >= 10)
        text_add_decimal(t, value / 10);
    text_add_digit(t, value % 10);
}

static void text_add_rights(struct text *t, uint32_t rights)
{
    static const char *const names[] = { "read", "write", "execute", "use", "delete" };
    const char *between = "";

    for (uint32_t i = 0; i < 5; i++) {
        if (!(rights >> i & 1))
            continue;
        text_add(t, between);
        text_add(t, names[i]);
        between = " ";
    }
    if (!(rights & TWZ_PERMS))
        text_add(t, "none");
}

static void text_add_object(struct text *t, objid_t id)
{
    char path[256];
    int err;

    text_add(t, "object ");
    text_add_hex(t, id.hi, 16);
    text_add(t, ":");
    text_add_hex(t, id.lo, 16);
    err = twz_name_of(id, path, sizeof(path));
    if (err > 0) {
        text_add(t, " (");
        text_add(t, path);
        text_add(t, ")");
    } else if (err == -TWZ_EFULL) {
        text_add(t, " (too many names to search)");
    }
}

static const char *exception_text(uint64_t vector)
{
    bool known = vector < sizeof(exceptions) / sizeof(exceptions[0]) && exceptions[vector];

    return known ? exceptions[vector] : "reserved vector";
}

static void text_add_kind(struct text *t, const struct twz_fault *f)
{
    uint64_t vector = f->code >> 32;

    text_add(t, f->kind < TWZ_FAULT_KINDS ? kinds[f->kind] : "unknown fault");
    if (f->kind == TWZ_FAULT_EXCEPTION) {
        text_add(t, ": ");
        text_add(t, exception_text(vector));
    } else if (f->kind == TWZ_FAULT_SIGNAL) {
        text_add(t, " ");
        text_add_decimal(t, f->addr);
    } else if (f->kind == TWZ_FAULT_CALL) {
        text_add(t, " ");
        text_add_decimal(t, f->code);
    } else if (f->reason && f->reason < sizeof(reasons) / sizeof(reasons[0])) {
        text_add(t, ": ");
        text_add(t, reasons[f->reason]);
    }
}

static bool has_address(const struct twz_fault *f)
{
    return f->kind != TWZ_FAULT_EXCEPTION && f->kind != TWZ_FAULT_SIGNAL &&
           f->kind != TWZ_FAULT_CALL;
}

#define STACK_STEP (1ull << 20) /* an access this near the stack pointer is one to the stack */

/* A stack grows down to the first page of its object, which is never mapped, or past it into the
 * slot below, which stays empty. The stack pointer may be there already. */
static bool is_stack_overflow(const struct twz_fault *f)
{
    return (f->kind == TWZ_FAULT_NULL || f->kind == TWZ_FAULT_OBJECT) &&
           f->addr >> TWZ_OBJ_SHIFT != TWZ_SLOT_NONE && f->addr + STACK_STEP >= f->sp &&
           f->addr < f->sp + STACK_STEP;
}

static void text_add_page_hint(struct text *t, const struct twz_fault *f)
{
    uint64_t slot = f->addr >> TWZ_OBJ_SHIFT;

    if (!has_address(f))
        return;
    if (is_stack_overflow(f))
        text_add(t, ": stack overflow");
    else if (f->kind == TWZ_FAULT_NULL && slot != TWZ_SLOT_NONE)
        text_add(t, ": the first page of an object");
}

/* No allocation and no lock: this may run in a fault of a thread that holds one. */
size_t twz_fault_print(const struct twz_fault *f, char *out, size_t len)
{
    struct text t = { .at = out, .space = len ? len - 1 : 0 };

    text_add_kind(&t, f);
    text_add_page_hint(&t, f);
    if (has_address(f)) {
        text_add(&t, ", at address ");
        text_add_address(&t, f->addr);
        text_add(&t, ", ");
        if (objid_is_none(f->object)) {
            text_add(&t, "no object");
        } else {
            text_add_object(&t, f->object);
            text_add(&t, " offset ");
            text_add_address(&t, f->addr & (TWZ_OBJ_SIZE - 1));
        }
        text_add(&t, ", rights needed: ");
        text_add_rights(&t, f->need);
        text_add(&t, ", held: ");
        text_add_rights(&t, f->have);
    }
    text_add(&t, ", instruction at ");
    text_add_address(&t, f->ip);
    if (len)
        out[t.len] = 0;
    return t.len;
}

static unsigned exception_signal(uint64_t vector)
{
    switch (vector) {
#define TWZ_EXCEPTION(vector, signal, text) \
    case vector:                            \
        return TWZ_SIGNAL_##signal;
#include <twz/arch/exception.def>
#undef TWZ_EXCEPTION
    default: return TWZ_SIGNAL_SEGV;
    }
}

int twz_fault_signal(const struct twz_fault *f)
{
    static const uint8_t signals[] = {
#define TWZ_FAULT_KIND(name, number, signal, text) [number] = TWZ_SIGNAL_##signal,
#include <twz/fault.def>
#undef TWZ_FAULT_KIND
    };

    switch (f->kind) {
    case TWZ_FAULT_EXCEPTION: return (int)exception_signal(f->code >> 32);
    case TWZ_FAULT_SIGNAL: return (int)f->addr;
    default: return f->kind < TWZ_FAULT_KINDS ? signals[f->kind] : (int)TWZ_SIGNAL_SEGV;
    }
}

/* SPDX-License-Identifier: MIT */
/* A fault as one line of text: what, where, which object, rights needed and held. */
#include <stdbool.h>
#include <twz/faults.h>
#include <twz/name.h>
#include <twz/view.h>

struct text {
    char *at;
    size_t room; /* without the NUL */
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

static void put(struct text *t, const char *s)
{
    for (; *s; s++) {
        if (t->len < t->room)
            t->at[t->len++] = *s;
    }
}

static void put_digit(struct text *t, uint64_t digit)
{
    char s[2] = { "0123456789abcdef"[digit & 15], 0 };

    put(t, s);
}

static void put_hex(struct text *t, uint64_t value, uint32_t digits)
{
    while (digits-- > 0)
        put_digit(t, value >> (digits * 4));
}

static void put_short_hex(struct text *t, uint64_t value)
{
    uint32_t digits = 1;

    while (digits < 16 && value >> (digits * 4))
        digits++;
    put(t, "0x");
    put_hex(t, value, digits);
}

static void put_decimal(struct text *t, uint64_t value)
{
    if (value >= 10)
        put_decimal(t, value / 10);
    put_digit(t, value % 10);
}

static void put_rights(struct text *t, uint32_t rights)
{
    static const char *const names[] = { "read", "write", "execute", "use", "delete" };
    const char *between = "";

    for (uint32_t i = 0; i < 5; i++) {
        if (!(rights >> i & 1))
            continue;
        put(t, between);
        put(t, names[i]);
        between = " ";
    }
    if (!(rights & TWZ_PERMS))
        put(t, "none");
}

static void put_object(struct text *t, objid_t id)
{
    char path[256];
    int err;

    put(t, "object ");
    put_hex(t, id.hi, 16);
    put(t, ":");
    put_hex(t, id.lo, 16);
    err = twz_name_of(id, path, sizeof(path));
    if (err > 0) {
        put(t, " (");
        put(t, path);
        put(t, ")");
    } else if (err == -TWZ_EFULL) {
        put(t, " (no name among the first that were looked at)");
    }
}

static const char *exception_text(uint64_t vector)
{
    bool known = vector < sizeof(exceptions) / sizeof(exceptions[0]) && exceptions[vector];

    return known ? exceptions[vector] : "reserved vector";
}

static void put_what(struct text *t, const struct twz_fault *f)
{
    uint64_t vector = f->code >> 32;

    put(t, f->kind < TWZ_FAULT_KINDS ? kinds[f->kind] : "unknown fault");
    if (f->kind == TWZ_FAULT_EXCEPTION) {
        put(t, ": ");
        put(t, exception_text(vector));
    } else if (f->kind == TWZ_FAULT_SIGNAL) {
        put(t, " ");
        put_decimal(t, f->addr);
    } else if (f->kind == TWZ_FAULT_CALL) {
        put(t, " ");
        put_decimal(t, f->code);
    } else if (f->reason && f->reason < sizeof(reasons) / sizeof(reasons[0])) {
        put(t, ": ");
        put(t, reasons[f->reason]);
    }
}

static int has_address(const struct twz_fault *f)
{
    return f->kind != TWZ_FAULT_EXCEPTION && f->kind != TWZ_FAULT_SIGNAL &&
           f->kind != TWZ_FAULT_CALL;
}

/* The first page of each object is never mapped, so that offset 0 is no pointer; a stack grows down
 * to it, or past it into the slot below, which stays empty. */
static void put_first_page(struct text *t, const struct twz_fault *f)
{
    uint64_t slot = f->addr >> TWZ_OBJ_SHIFT;

    if (!has_address(f))
        return;
    if (slot == TWZ_SLOT_STACK - 1 || (slot == TWZ_SLOT_STACK && f->kind == TWZ_FAULT_NULL))
        put(t, ": stack overflow");
    else if (f->kind == TWZ_FAULT_NULL && slot != TWZ_SLOT_NONE)
        put(t, ": the first page of an object");
}

size_t twz_fault_print(const struct twz_fault *f, char *out, size_t len)
{
    struct text t = { .at = out, .room = len ? len - 1 : 0 };

    put_what(&t, f);
    put_first_page(&t, f);
    if (has_address(f)) {
        put(&t, ", at address ");
        put_short_hex(&t, f->addr);
        put(&t, ", ");
        if (objid_is_none(f->object)) {
            put(&t, "no object");
        } else {
            put_object(&t, f->object);
            put(&t, " offset ");
            put_short_hex(&t, f->addr & (TWZ_OBJ_SIZE - 1));
        }
        put(&t, ", rights needed: ");
        put_rights(&t, f->need);
        put(&t, ", held: ");
        put_rights(&t, f->have);
    }
    put(&t, ", instruction at ");
    put_short_hex(&t, f->ip);
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

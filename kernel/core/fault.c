/* SPDX-License-Identifier: MIT */
/*
 * Owns what happens to a fault of user code: mended (page_fault -> resolve), delivered to the
 * view's handler, or the end of the thread with a record and one line in the log. The machine goes
 * on in each case.
 *
 * A delivered frame lies on the alternate stack, or below the red zone of the thread's own; a fault
 * while the stack pointer is inside the alternate stack goes below it, so handlers may nest. The
 * vector state comes first (64-byte aligned, from the top), then struct twz_fault_frame, then a
 * zero word where a return address would be. A stack that cannot be written: double fault.
 *
 * A long call may stand below a handler (thread->progress, sys/lookup.c): whether it goes on or was
 * given up is decided here, where frames are pushed and taken.
 */
#include <kernel/arch_regs.h>
#include <kernel/boot.h>
#include <kernel/fault.h>
#include <kernel/log.h>
#include <kernel/sched.h>
#include <kernel/upcall.h>
#include <kernel/user.h>
#include <lib/string.h>

bool trace_call;
bool trace_fault;

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

static const uint8_t kind_signals[] = {
#define TWZ_FAULT_KIND(name, number, signal, text) [number] = TWZ_SIGNAL_##signal,
#include <twz/fault.def>
#undef TWZ_FAULT_KIND
};

static bool listed(const char *text, size_t len, const char *word)
{
    size_t n = strlen(word), i;

    for (i = 0; i + n <= len; i++)
        if (memcmp(text + i, word, n) == 0 && (i + n == len || text[i + n] == ','))
            return true;
    return false;
}

void trace_init(void)
{
    size_t len = 0;
    const char *text = boot_option("trace", &len);

    if (!text)
        return;
    trace_call = listed(text, len, "call");
    trace_fault = listed(text, len, "fault");
}

/* "rwxud" with a dash for what is missing. */
static const char *rights_text(unsigned rights, char out[6])
{
    static const char letters[] = "rwxud";
    unsigned i;

    for (i = 0; i < 5; i++)
        out[i] = (rights >> i & 1) != 0 ? letters[i] : '-';
    out[5] = 0;
    return out;
}

static void log_fault(struct thread *t, const struct twz_fault *f, const char *what)
{
    uint32_t kind = f->kind < TWZ_FAULT_KINDS ? f->kind : TWZ_FAULT_DOUBLE;
    const char *reason = f->reason < ARRAY_LEN(reason_texts) ? reason_texts[f->reason] : "";
    objid_t at = { 0, 0 }, ip = { 0, 0 };
    uint64_t at_off = 0, ip_off = 0;
    char need[6], have[6];

    upcall.locate(t, f->addr, &at, &at_off);
    upcall.locate(t, f->ip, &ip, &ip_off);
    log_printf("thread " IDFMT " %s: %s%s%s%s at %llx (object " IDFMT "+%llx), needs %s, "
               "holds %s, code %llx, ip %llx (object " IDFMT "+%llx)",
               IDPR(t->id), what, kind_texts[kind], reason[0] != 0 ? " (" : "", reason,
               reason[0] != 0 ? ")" : "", (unsigned long long)f->addr, IDPR(f->object),
               (unsigned long long)at_off, rights_text(f->need, need), rights_text(f->have, have),
               (unsigned long long)f->code, (unsigned long long)f->ip, IDPR(ip),
               (unsigned long long)ip_off);
}

/* The exit status of a thread that f ends. */
static uint64_t exit_status(const struct twz_fault *f)
{
    switch (f->kind) {
    case TWZ_FAULT_EXCEPTION:
        return TWZ_EXIT_BY_SIGNAL(arch_exception_signal((unsigned)(f->code >> 32)));
    case TWZ_FAULT_SIGNAL: return TWZ_EXIT_BY_SIGNAL(f->addr);
    default: return TWZ_EXIT_BY_SIGNAL(kind_signals[f->kind]);
    }
}

void fault_end(const struct twz_fault *fault)
{
    struct thread *t = current();

    log_fault(t, fault, "ended");
    thread_end(exit_status(fault), fault);
}

/* Top of the stack that a frame goes on. */
static uint64_t fault_stack(const struct thread *t, const struct twz_regs *regs)
{
    uint64_t base = __atomic_load_n(&t->user->alt_stack, __ATOMIC_RELAXED);
    uint64_t len = __atomic_load_n(&t->user->alt_stack_len, __ATOMIC_RELAXED);

    if (base == 0 || base >= ARCH_USER_LIMIT || len > ARCH_USER_LIMIT - base)
        return regs->rsp - ARCH_RED_ZONE;
    if (regs->rsp - base < len)
        return regs->rsp - ARCH_RED_ZONE;
    return base + len;
}

/* Writes vector state, frame and return word below `top`. */
static int push_frame(const struct twz_regs *regs, const struct twz_fault *fault, uint64_t top,
                      uint64_t *at)
{
    struct twz_fault_frame out = { .fault = *fault, .regs = *regs };
    void *xsave = cpu_this()->xsave;
    uint64_t zero = 0;
    int err;

    out.xsave_size = arch_xsave_size();
    if (top >= ARCH_USER_LIMIT || top < out.xsave_size + sizeof(out) + 256)
        return -TWZ_EFAULT;
    out.xsave = (top - out.xsave_size) & ~63ull;
    *at = (out.xsave - sizeof(out)) & ~15ull;
    arch_xsave_save(xsave);
    err = user_copy_out(out.xsave, xsave, out.xsave_size);
    if (err == 0)
        err = user_copy_out(*at, &out, sizeof(out));
    if (err == 0)
        err = user_copy_out(*at - sizeof(zero), &zero, sizeof(zero));
    return err;
}

/* A long call that is interrupted goes on once a fault_return leads to where it was: from its own
 * frame, or another one that a runtime made of it. Until then the same call made there is another.
 * A thread that is there again without that has left its handler, and given the call up. */
static void progress_below(struct thread *t, const struct twz_regs *regs)
{
    if (t->progress.call == 0)
        return;
    if (!t->progress.below) {
        t->progress.below = true;
        t->progress.place = arch_regs_location(regs);
    } else if (arch_regs_location(regs) == t->progress.place) {
        upcall.drop_progress(t);
    }
}

static void progress_back(struct thread *t, const struct twz_regs *regs)
{
    if (arch_regs_location(regs) == t->progress.place)
        t->progress.below = false;
}

void fault_raise(struct arch_frame *frame, struct twz_fault *fault)
{
    struct thread *t = current();
    uint64_t entry, at = 0;

    fault->ip = frame->regs.rip;
    if (trace_fault)
        log_fault(t, fault, "fault");
    entry = upcall.fault_entry(t, fault->kind);
    if (entry == 0 || entry >= ARCH_USER_LIMIT) {
        fault_end(fault);
        return;
    }
    arch_frame_sync(frame);
    if (push_frame(&frame->regs, fault, fault_stack(t, &frame->regs), &at) < 0) {
        log_fault(t, fault, "could not take on its stack");
        fault->kind = TWZ_FAULT_DOUBLE;
        fault_end(fault);
        return;
    }
    progress_below(t, &frame->regs);
    arch_regs_upcall(&frame->regs, entry, at - sizeof(uint64_t), at);
    frame->flags = ARCH_FRAME_FULL;
}

int fault_return(struct arch_frame *frame, uint64_t addr)
{
    struct twz_fault_frame in;
    void *xsave = cpu_this()->xsave;
    int err = user_copy_in(&in, addr, sizeof(in));

    if (err == 0)
        err = arch_regs_validate(&in.regs);
    if (err == 0 && in.xsave != 0) {
        if (in.xsave_size != arch_xsave_size())
            return -TWZ_EINVAL;
        err = user_copy_in(xsave, in.xsave, in.xsave_size);
        if (err == 0)
            err = arch_xsave_restore(xsave);
        arch_xsave_init(xsave); /* saving leaves gaps, which the next frame would show to another */
    }
    if (err < 0)
        return err;
    progress_back(current(), &in.regs);
    frame->regs = in.regs;
    frame->flags = ARCH_FRAME_FULL;
    arch_frame_load(frame);
    if (atomic_load_explicit(&current()->pending, memory_order_relaxed) != 0)
        sched_set_need_resched(); /* the next of several signals */
    return 0;
}

void kernel_page_fault(struct arch_frame *frame, uint64_t addr, unsigned access)
{
    unsigned need = TWZ_READ;
    struct twz_fault fault;

    if ((access & ARCH_ACCESS_EXEC) != 0)
        need = TWZ_EXEC;
    else if ((access & ARCH_ACCESS_WRITE) != 0)
        need = TWZ_WRITE;
    if (upcall.resolve_fault(current(), addr, need, &fault) < 0)
        fault_raise(frame, &fault);
}

void kernel_exception(struct arch_frame *frame, unsigned vector, uint64_t error)
{
    struct twz_fault fault = { .kind = TWZ_FAULT_EXCEPTION };

    fault.code = (uint64_t)vector << 32 | (error & 0xffffffffu);
    fault_raise(frame, &fault);
}

void kernel_media_error(phys_t addr)
{
    upcall.media_error(addr);
}

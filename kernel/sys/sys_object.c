/* SPDX-License-Identifier: MIT */
/* Handlers of the obj_* calls. */
#include <kernel/accountobj.h>
#include <kernel/kso.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/progress.h>
#include <kernel/sec.h>
#include <kernel/threadobj.h>
#include "calls.h"

#define SOURCES_MAX 64u

static bool is_creatable(uint32_t kind)
{
    return kind == TWZ_KIND_DATA || kind == TWZ_KIND_VIEW || kind == TWZ_KIND_THREAD ||
           kind == TWZ_KIND_DIR || kind == TWZ_KIND_SCTX || kind == TWZ_KIND_ACCOUNT ||
           kind == TWZ_KIND_SERVICE;
}

/* The pages of a range: their numbers in both objects, and how many. */
static int pages_of_copy(const struct twz_copy *c, uint32_t *to, uint32_t *from, uint32_t *count)
{
    uint64_t mask = TWZ_PAGE_SIZE - 1;

    if (((c->src_off | c->dst_off | c->len) & mask) != 0)
        return -TWZ_EINVAL;
    if (c->src_off >= TWZ_OBJ_SIZE || c->dst_off >= TWZ_OBJ_SIZE || c->len > TWZ_OBJ_SIZE)
        return -TWZ_ERANGE;
    *to = (uint32_t)(c->dst_off >> TWZ_PAGE_SHIFT);
    *from = (uint32_t)(c->src_off >> TWZ_PAGE_SHIFT);
    *count = (uint32_t)(c->len >> TWZ_PAGE_SHIFT);
    return 0;
}

/* One batch of one range; or the reservation for the whole range. 1: there is more to do. */
static int copy_batch(struct object *dst, const struct twz_copy *c, bool reserve)
{
    struct thread *t = current();
    uint32_t to, from, count;
    struct object *src;
    int err = pages_of_copy(c, &to, &from, &count);

    if (err < 0)
        return err;
    if (t->progress.at > count)
        return -TWZ_EINVAL;
    err = sys_get(c->src, TWZ_READ, &src);
    if (err < 0)
        return err;
    if (reserve)
        err = copy_reserve(dst, to, src, from, count, &t->progress.reserved);
    else
        err = copy_apply(dst, to, src, from, count, &t->progress.at, &t->progress.reserved);
    obj_put(src);
    return err;
}

/* The same for range `index` of an array in user memory. dst NULL: the range names its own. */
static int copy_element(struct user_ranges ranges, uint64_t index, struct object *dst, bool reserve)
{
    struct object *own = NULL;
    struct twz_copy c;
    int err = USER_IN_ELEMENT(&c, ranges, index, TWZ_COPY_MIN);

    if (err == 0 && c.flags != 0)
        err = -TWZ_EINVAL;
    if (err == 0 && !dst)
        err = sys_get(c.dst, TWZ_WRITE, &own);
    if (err < 0)
        return err;
    err = copy_batch(dst ? dst : own, &c, reserve);
    if (own)
        obj_put(own);
    return err;
}

/* One batch of an array of ranges. progress.index counts the ranges that are done, from `first` on.
 * 1: there is more to do. */
static int copy_next(struct user_ranges ranges, uint64_t first, uint64_t count, struct object *dst)
{
    struct thread *t = current();
    int err;

    if (t->progress.index - first >= count)
        return 0;
    err = copy_element(ranges, t->progress.index - first, dst, false);
    if (err != 0)
        return err;
    t->progress.at = 0;
    t->progress.index++;
    return t->progress.index - first < count ? 1 : 0;
}

/* 0: the caller has the rights `need` on the object, or id is none. */
static int check_rights(objid_t id, unsigned need)
{
    struct object *named;
    int err;

    if (objid_is_none(id))
        return 0;
    err = sys_get(id, need, &named);
    if (err == 0)
        obj_put(named);
    return err;
}

/* Creates the object, and an account with an ACCOUNT object. */
static int create_charged(struct obj_spec *spec, objid_t account, struct object **out)
{
    struct object *held;
    struct account *own;
    int err = sys_get_account(account, &spec->payer, &held);

    if (err == 0)
        err = obj_create(spec, out);
    if (held)
        obj_put(held);
    return err == 0 && spec->kind == TWZ_KIND_ACCOUNT ? accountobj_get(*out, &own) : err;
}

/* True: the default permissions of a persistent object give its holder all that a creator needs.
 * Such an object has no grant, so a program may create any number of files. */
static bool is_open_to(const struct object *obj, struct context *holder)
{
    const unsigned all = TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL;
    unsigned have = obj->perms & context_default_mask(holder, obj->id) & ~context_taken(holder);

    return obj_is_persistent(obj) && (have & all) == all;
}

/* A new object's holder, by default its creator's context, has all rights on it, whatever its
 * default permissions; the first context has none but these. A new context takes in what its
 * creator's takes in. */
static int give_to_holder(const struct twz_create *in, struct object *obj, struct context *holder)
{
    struct context *creator = threadobj_context(current());
    int err = 0;

    if (in->kind == TWZ_KIND_SCTX)
        err = context_create(obj, creator, in->context);
    if (err == 0 && holder != context_first() && !is_open_to(obj, holder))
        err = grant_add(holder, obj, NULL, TWZ_PERMS, 0);
    if (err == 0 && in->keep != 0 && holder != creator && creator != context_first())
        err = grant_add(creator, obj, NULL, in->keep, 0);
    return err;
}

/* Creates an object as its specification says, with its grants. */
static int create_held(const struct twz_create *in, struct obj_spec *spec, struct object **out)
{
    struct context *holder;
    int err = sys_get_context(in->holder, &holder);

    if (err < 0)
        return err;
    err = create_charged(spec, in->account, out);
    if (err == 0)
        err = give_to_holder(in, *out, holder);
    if (err < 0 && *out) {
        if (obj_delete(*out, false) < 0)
            log_printf("object " IDFMT " could not be deleted again", IDPR((*out)->id));
        obj_put(*out);
        *out = NULL;
    }
    context_put(holder);
    return err;
}

static int create_blank(const struct twz_create *in, struct object **out)
{
    struct obj_spec spec = { .flags = in->flags,
                             .perms = in->perms,
                             .kind = in->kind,
                             .persist = in->persist,
                             .class_ = in->class_,
                             .kuid = in->kuid,
                             .witness = in->witness,
                             .witness_off = in->witness_off,
                             .witness_value = in->witness_value,
                             .tie = in->tie,
                             .unfinished = in->nsources > 0 };
    int err;

    if (!is_creatable(in->kind) || in->nsources > SOURCES_MAX)
        return -TWZ_EINVAL;
    if (in->context > TWZ_CONTEXT_WITHIN || (in->context != 0 && in->kind != TWZ_KIND_SCTX) ||
        (in->keep & ~TWZ_PERMS) != 0 || (in->keep != 0 && objid_is_none(in->holder)))
        return -TWZ_EINVAL;
    if (in->kind == TWZ_KIND_ACCOUNT && !objid_is_none(in->tie))
        return -TWZ_EINVAL; /* sys_obj_tie */
    err = check_rights(in->tie, TWZ_WRITE);
    if (err == 0 && (in->flags & TWZ_OBJ_PROVISIONAL) != 0)
        err = check_rights(in->witness, TWZ_READ);
    return err < 0 ? err : create_held(in, &spec, out);
}

/* Makes a new object permanent, now that its sources are copied. */
static int finish_object(struct object *obj, const struct twz_create *in)
{
    if ((in->flags & TWZ_OBJ_PROVISIONAL) != 0 || (obj->flags & TWZ_OBJ_PROVISIONAL) == 0)
        return 0;
    return obj_ctl(obj, TWZ_CTL_PERMANENT, 0);
}

int64_t sys_obj_create(struct arch_frame *frame, struct user_spec spec, struct user_id id)
{
    struct thread *t = current();
    struct twz_create in;
    int err = USER_IN_SIZED(&in, spec, TWZ_CREATE_MIN);
    struct user_ranges sources;

    if (err < 0)
        return err;
    sources.never_here = (const struct twz_copy *)(uintptr_t)in.sources;
    sources.size = in.source_size;
    progress_begin(&frame->regs);
    if (!t->progress.obj)
        err = create_blank(&in, &t->progress.obj);
    if (err == 0)
        err = copy_next(sources, 0, in.nsources, t->progress.obj);
    if (err == 1)
        return sys_again(frame);
    if (err == 0)
        err = USER_OUT(id, &t->progress.obj->id);
    if (err == 0)
        err = finish_object(t->progress.obj, &in); /* COMMIT: last, so nothing after it can fail */
    if (err < 0 && t->retry)
        return err;
    if (err < 0) {
        threadobj_drop_progress(t);
    } else {
        obj_put(t->progress.obj);
        t->progress.obj = NULL;
    }
    progress_end();
    return err;
}

/* True: the caller has WRITE on an account that pays for the object. */
static bool holds_account_of(struct object *obj)
{
    objid_t ids[ACCOUNT_DEPTH];
    unsigned n = accounts_of(obj, ids);
    bool holds = false;

    for (unsigned i = 0; !holds && i < n; i++)
        holds = check_rights(ids[i], TWZ_WRITE) == 0;
    return holds;
}

/* An object may be deleted with DEL on it, or by the holder of an account that it is charged to:
 * else objects without permissions would take its quota for ever. */
static int get_to_delete(objid_t id, struct object **out)
{
    int err = sys_get(id, TWZ_DEL, out);

    if (err != -TWZ_EDENIED)
        return err;
    err = sys_get(id, 0, out);
    if (err < 0 || holds_account_of(*out))
        return err;
    obj_put(*out);
    return -TWZ_EDENIED;
}

int64_t sys_obj_delete(objid_t id, uint64_t flags)
{
    struct object *obj;
    int err;

    if (flags > TWZ_DELETE_NOW)
        return -TWZ_EINVAL;
    err = get_to_delete(id, &obj);
    if (err < 0)
        return err;
    if (obj->kind == TWZ_KIND_ACCOUNT)
        err = accountobj_close(obj);
    if (err == 0)
        err = obj_delete(obj, flags == TWZ_DELETE_NOW);
    obj_put(obj);
    return err;
}

/* Space for all ranges is reserved first: progress.index is below count until then. A call that
 * fails for space has thus changed nothing. */
int64_t sys_obj_copy(struct arch_frame *frame, struct user_ranges ranges, uint64_t count)
{
    struct progress *p = &current()->progress;
    int err = 0;

    if (count > SOURCES_MAX)
        return -TWZ_EINVAL;
    progress_begin(&frame->regs);
    if (p->index < count) {
        err = copy_element(ranges, p->index, NULL, true);
        if (err == 0 && ++p->index < count)
            err = 1;
    }
    if (err == 0)
        err = copy_next(ranges, count, count, NULL);
    if (err == 1)
        return sys_again(frame);
    if (err < 0 && current()->retry)
        return err;
    copy_unreserve(&p->reserved);
    progress_end();
    return err;
}

/* The ID is handed out before the commit, so that nothing after that can fail. A bad pointer is
 * found before all the work. */
int64_t sys_obj_seal(struct arch_frame *frame, objid_t id, struct user_sealed out)
{
    struct progress *p = &current()->progress;
    objid_t sealed = TWZ_OBJID_NONE;
    struct object *src;
    int err;

    progress_begin(&frame->regs);
    err = sys_get(id, TWZ_READ, &src);
    if (err == 0) {
        if (!p->sealing)
            err = USER_OUT(out, &sealed);
        if (err == 0)
            err = obj_seal(src, &p->sealing, &sealed);
        obj_put(src);
    }
    if (err == 0)
        err = USER_OUT(out, &sealed);
    if (err == 0)
        err = obj_seal_commit(&p->sealing);
    if (err == 1)
        return sys_again(frame);
    if (err < 0 && current()->retry)
        return err;
    obj_seal_drop(&p->sealing);
    progress_end();
    return err;
}

static unsigned rights_for_range(uint64_t op)
{
    if (op == TWZ_RANGE_PERSIST)
        return TWZ_READ;
    if (op == TWZ_RANGE_HOLE || op == TWZ_RANGE_PROTECT)
        return TWZ_WRITE | TWZ_DEL;
    return TWZ_WRITE;
}

int64_t sys_obj_range(struct arch_frame *frame, objid_t id, uint64_t op, uint64_t start,
                      uint64_t len)
{
    struct thread *t = current();
    struct object *obj;
    uint32_t first;
    int err;

    if (((start | len) & (TWZ_PAGE_SIZE - 1)) != 0)
        return -TWZ_EINVAL;
    if (start >= TWZ_OBJ_SIZE || len > TWZ_OBJ_SIZE - start)
        return -TWZ_ERANGE;
    progress_begin(&frame->regs);
    err = sys_get(id, rights_for_range(op), &obj);
    if (err < 0 && t->retry)
        return err;
    if (err < 0) {
        progress_end();
        return err;
    }
    first = (uint32_t)(start >> TWZ_PAGE_SHIFT) + t->progress.at;
    err = range_apply(obj, op, &first, (uint32_t)((start + len) >> TWZ_PAGE_SHIFT));
    obj_put(obj);
    t->progress.at = first - (uint32_t)(start >> TWZ_PAGE_SHIFT);
    if (err == 1)
        return sys_again(frame);
    progress_end();
    return err;
}

int64_t sys_obj_pin(objid_t id, uint64_t pin)
{
    struct object *obj;
    int err;

    if (pin > 1)
        return -TWZ_EINVAL;
    err = sys_get(id, TWZ_USE, &obj);
    if (err < 0)
        return err;
    err = obj_pin(obj, current()->sctx, pin == 1);
    obj_put(obj);
    return err;
}

int64_t sys_obj_tie(objid_t child, objid_t parent, uint64_t tie)
{
    struct object *c, *p = NULL;
    int err;

    if (tie > 1)
        return -TWZ_EINVAL;
    err = sys_get(child, TWZ_DEL, &c);
    if (err < 0)
        return err;
    if (c->kind == TWZ_KIND_ACCOUNT)
        err = -TWZ_EINVAL; /* an account is deleted by accountobj_close alone */
    if (err == 0 && tie == 1)
        err = sys_get(parent, TWZ_WRITE, &p);
    if (err == 0)
        err = obj_tie(c, p);
    if (p)
        obj_put(p);
    obj_put(c);
    return err;
}

int64_t sys_obj_stat(objid_t id, struct user_stat stat)
{
    struct twz_stat out;
    struct object *obj;
    struct decision decision;
    int err;

    err = sys_get(id, 0, &obj);
    if (err < 0)
        return err;
    if (obj == kso_system())
        kso_system_update();
    err = sec_decide(threadobj_context(current()), obj, &decision);
    if (err == 0 && obj->kind == TWZ_KIND_ACCOUNT)
        err = accountobj_show(obj);
    if (err == 0)
        err = decision.rights != 0 ? 0 : -TWZ_EDENIED;
    if (err == 0) {
        obj_stat(obj, &out);
        out.rights = decision.rights;
    }
    obj_put(obj);
    return err < 0 ? err : USER_OUT_SIZED(stat, &out, TWZ_STAT_MIN);
}

int64_t sys_obj_ctl(struct arch_frame *frame, objid_t id, uint64_t op, uint64_t arg)
{
    bool needs_del = op == TWZ_CTL_PERMS || op == TWZ_CTL_PERSIST;
    unsigned need = needs_del ? TWZ_WRITE | TWZ_DEL : TWZ_WRITE;
    struct object *obj;
    int err;

    err = sys_get(id, need, &obj);
    if (err < 0)
        return err;
    if (op >= TWZ_CTL_LIMIT)
        err = accountobj_limit(obj, op - TWZ_CTL_LIMIT, arg);
    else
        err = obj_ctl(obj, op, arg);
    obj_put(obj);
    return err == 1 ? sys_again(frame) : err;
}

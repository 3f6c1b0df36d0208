/* SPDX-License-Identifier: MIT */
/*
 * Objects are the store's, the machine is the host. No lock in the pool is ever waited for: the
 * pool's lock keeps other processes out, and this process has one thread.
 *
 * Crash protocol: none of its own. Each call is one operation of the store, which a crash leaves
 * done or not done. Objects with sources are not made here: cp shares the pages itself.
 */
#define _GNU_SOURCE
#include "host_platform.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <twz/error.h>
#include <twz/guard.h>

#include "fail.h"
#include "platform.h"
#include "store/persist.h"
#include "window.h"

static struct {
    struct pool *pool;
    uint64_t owner; /* owner word of this process in locks */
    int64_t error;
    struct twz_guard *guard;
} host;

int host_platform_attach(struct pool *pool)
{
    int err;

    host.pool = pool;
    err = host.owner ? TOOL_OK : host_random(&host.owner, sizeof(host.owner));
    host.owner = (host.owner & (UINT64_MAX >> 1)) | 1;
    return err ? err : window_attach(pool);
}

void host_platform_detach(const struct pool *pool)
{
    window_detach(pool);
    if (host.pool == pool)
        host.pool = NULL;
}

/* --- guards: a fault of a page in the pool ends the command (host_fault.c) -------------------- */

int twz_catch(struct twz_catch *c)
{
    (void)c;
    return 0;
}

void twz_catch_end(struct twz_catch *c)
{
    (void)c;
}

void plat_catch_again(struct twz_catch *c)
{
    (void)c;
}

int twz_try(void (*fn)(void *arg), void *arg, struct twz_fault *fault)
{
    (void)fault;
    fn(arg);
    return 0;
}

void twz_fault_raise(const struct twz_fault *fault)
{
    (void)fault;
    abort();
}

struct twz_guard **plat_guard(void)
{
    return &host.guard;
}

/* --- objects ------------------------------------------------------------------------------- */

int plat_obj_create(const struct twz_create *create, objid_t *id)
{
    struct store_create make = {
        .kuid = create->kuid,
        .tie_parent = create->tie,
        .witness = create->witness,
        .witness_off = create->witness_off,
        .witness_value = create->witness_value,
        .perms = create->perms,
        .kind = create->kind,
        .account = create->account,
        .class_ = create->class_,
        .persist = create->persist,
    };
    uint32_t row;
    int err;

    if (!(create->flags & TWZ_OBJ_PERSIST) || create->nsources > 0)
        return -TWZ_ENOTSUP;
    if (host_random(make.nonce, sizeof(make.nonce)) != TOOL_OK)
        return -TWZ_EIO;
    err = store_obj_create(host.pool->store, &make, &row, id);
    if (err < 0)
        return err;
    host.pool->changes++;
    return 0;
}

/* The rows of objects that one call deleted; their frames are released afterwards. */
struct deleted {
    uint32_t *row;
    size_t count, capacity;
    bool short_of_memory;
};

static void add_deleted(void *ctx, uint32_t row)
{
    struct deleted *deleted = ctx;

    if (deleted->count == deleted->capacity) {
        size_t capacity = deleted->capacity ? deleted->capacity * 2 : 16;
        uint32_t *more = realloc(deleted->row, capacity * sizeof(*more));

        if (!more) {
            deleted->short_of_memory = true;
            return;
        }
        deleted->row = more;
        deleted->capacity = capacity;
    }
    deleted->row[deleted->count++] = row;
}

int plat_obj_delete(objid_t id, uint64_t flags)
{
    uint32_t row = STORE_NO_ROW;
    struct deleted deleted = { 0 };
    int err;

    (void)flags;
    err = store_lookup(host.pool->store, id, &row);
    /* A damaged object can be deleted: there is no other way to get rid of it. */
    if (err < 0 && !(err == -TWZ_EDAMAGED && row != STORE_NO_ROW))
        return err;
    host.pool->changes++;
    err = store_obj_delete(host.pool->store, row, add_deleted, &deleted);
    for (size_t i = 0; err >= 0 && i < deleted.count; i++)
        err = window_release_object(deleted.row[i]);
    free(deleted.row);
    /* Rows that found no memory are deleted too; the next recovery frees their frames. */
    return err < 0 || !deleted.short_of_memory ? err : 0;
}

int plat_obj_stat(objid_t id, struct twz_stat *stat)
{
    uint32_t row;
    struct store_stat s;
    int err = store_lookup(host.pool->store, id, &row);

    if (err >= 0)
        err = store_obj_stat(host.pool->store, row, &s);
    if (err < 0)
        return err;
    *stat = (struct twz_stat){
        .id = s.id,
        .kuid = s.kuid,
        .kind = s.kind,
        .flags = TWZ_OBJ_PERSIST | (s.state == STORE_PROVISIONAL ? TWZ_OBJ_PROVISIONAL : 0) |
                 (s.state == STORE_DELETED ? TWZ_OBJ_DELETED : 0) |
                 (s.damaged ? TWZ_OBJ_DAMAGED : 0) |
                 (s.flags & STORE_OBJ_SEALED ? TWZ_OBJ_SEALED : 0),
        .perms = s.perms,
        .persist = s.persist,
        .pages = s.pages,
        .revocation_epoch = s.revoke_epoch,
        .class_ = s.class_,
        .account = s.account,
        .tree = s.hash_tree,
        /* the owner of the pool's file owns all of it */
        .rights = s.flags & STORE_OBJ_SEALED ? TWZ_PERMS & ~TWZ_WRITE : TWZ_PERMS,
    };
    return 0;
}

int plat_obj_ctl(objid_t id, uint64_t op, uint64_t arg)
{
    uint32_t row;
    struct store_update update = { 0 };
    int err = store_lookup(host.pool->store, id, &row);

    if (err < 0)
        return err;
    switch (op) {
    case TWZ_CTL_PERMANENT: return store_obj_permanent(host.pool->store, row);
    case TWZ_CTL_PERSIST: return arg ? 0 : -TWZ_ENOTSUP;
    case TWZ_CTL_MODE:
        update.which = STORE_UPDATE_PERSIST;
        update.persist = (uint32_t)arg;
        return store_obj_update(host.pool->store, row, &update);
    case TWZ_CTL_PERMS:
        update.which = STORE_UPDATE_PERMS;
        update.perms = (uint32_t)arg;
        return store_obj_update(host.pool->store, row, &update);
    default: return -TWZ_EINVAL;
    }
}

/* --- the machine --------------------------------------------------------------------------- */

int host_random(void *bytes, size_t len)
{
    uint8_t *p = bytes;

    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);

        if (n < 0 && errno != EINTR)
            return fail_host("random generator");
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
    return TOOL_OK;
}

int plat_random(void *buf, size_t len)
{
    return host_random(buf, len) == TOOL_OK ? 0 : -TWZ_EIO;
}

uint64_t plat_time(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

objid_t plat_names_root(void)
{
    return host.pool->names;
}

/* The pool's lock keeps other processes out, and this process has one thread. So an owner of a lock
 * in the pool that is not this process is dead, and there is nothing to wait for. */
uint64_t plat_owner(void)
{
    return host.owner;
}

bool plat_owner_is_alive(uint64_t owner)
{
    return owner == host.owner;
}

void plat_wait(const uint64_t *word, uint64_t value, uint64_t ns)
{
    (void)word;
    (void)value;
    (void)ns;
}

void plat_wake(const uint64_t *word, uint64_t count)
{
    (void)word;
    (void)count;
}

void plat_pause(void) {}

int64_t *plat_error(void)
{
    return &host.error;
}

void plat_pointer_fault(const void *at, objid_t object, uint32_t reason, const void *caller)
{
    unsigned long long off = (uintptr_t)at & (TWZ_OBJ_SIZE - 1);

    (void)caller;
    fail(TOOL_DAMAGED, "object " IDFMT ": pointer at offset %llu does not resolve (reason %u)",
         IDPR(object), off, reason);
    exit(TOOL_DAMAGED);
}

/* --- twz/persist.h ------------------------------------------------------------------------- */

void twz_persist_flush(const void *p, size_t len)
{
    persist_host_flush(p, len, "libtwz flush");
}

void twz_persist_fence(void)
{
    persist_host_fence("libtwz fence");
}

void twz_persist(const void *p, size_t len)
{
    twz_persist_flush(p, len);
    twz_persist_fence();
}

void twz_persist_copy(void *dst, const void *src, size_t len)
{
    persist_host_copy(dst, src, len);
}

void twz_persist_zero(void *dst, size_t len)
{
    persist_host_zero(dst, len);
}

void twz_persist_store64(uint64_t *word, uint64_t value)
{
    persist_host_store64(word, value);
}

void twz_persist_commit64(uint64_t *word, uint64_t value)
{
    persist_host_commit(word, value, "libtwz commit flush", "libtwz commit fence");
}

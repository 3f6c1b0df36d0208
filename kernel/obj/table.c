/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of object records: by ID, and for persistent ones by store row; and the list of
 * persistent records that nobody uses, kept so that the next use finds its page tables ready.
 *
 * References. A volatile object has one for its existence, dropped by delete; each mapping, pin,
 * thread, waiter and call holds one more. A persistent record has only the latter; at zero it goes
 * idle, or, if the object is dead, away. The count falls from 1 to 0 under the table's lock only
 * (release), and rises from 0 under it only (obj_get), so nobody finds a record that is being
 * freed. A record that is evicted is flushed outside the lock; until that is done its object has no
 * other record (obj_get waits), or a flush asked for through that one would miss what was written.
 *
 * Locks: table -> pool. No object's lock is held when the table's is taken; releasing one takes the
 * object's after the table's was let go.
 */
#include <kernel/kmem.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/phys.h>
#include "inside.h"

#define BUCKETS  4096u
#define IDLE_MAX 1024u

static struct spinlock lock;
static struct object *by_id[BUCKETS];
static struct object *by_row[BUCKETS];
static struct object *idle_first;
static struct object *idle_last;
static unsigned nidle;
static struct object *leaving; /* evicted, through idle_next */

void table_lock(void)
{
    spin_lock(&lock);
}

void table_unlock(void)
{
    spin_unlock(&lock);
}

static struct object **bucket_of(objid_t id)
{
    return &by_id[objid_hash(id) % BUCKETS];
}

struct object *table_find_locked(objid_t id)
{
    struct object *obj = *bucket_of(id);

    while (obj && !objid_equal(obj->id, id))
        obj = obj->hash_next;
    return obj;
}

struct object *table_find_row_locked(uint32_t row)
{
    struct object *obj = by_row[row % BUCKETS];

    while (obj && obj->row != row)
        obj = obj->row_next;
    return obj;
}

void table_insert_locked(struct object *obj)
{
    struct object **head = bucket_of(obj->id);

    obj->hash_next = *head;
    *head = obj;
    if (obj_is_persistent(obj))
        table_insert_row_locked(obj);
}

void table_insert_row_locked(struct object *obj)
{
    struct object **head = &by_row[obj->row % BUCKETS];

    obj->row_next = *head;
    *head = obj;
}

void table_remove_row_locked(struct object *obj)
{
    struct object **at = &by_row[obj->row % BUCKETS];

    while (*at != obj)
        at = &(*at)->row_next;
    *at = obj->row_next;
}

void table_remove_locked(struct object *obj)
{
    struct object **at = bucket_of(obj->id);

    while (*at != obj)
        at = &(*at)->hash_next;
    *at = obj->hash_next;
    if (obj_is_persistent(obj))
        table_remove_row_locked(obj);
}

static void idle_remove_locked(struct object *obj)
{
    if (obj->idle_prev)
        obj->idle_prev->idle_next = obj->idle_next;
    else
        idle_first = obj->idle_next;
    if (obj->idle_next)
        obj->idle_next->idle_prev = obj->idle_prev;
    else
        idle_last = obj->idle_prev;
    obj->idle = false;
    nidle--;
}

/* obj goes to the young end; the record that has to leave for it, already out of the table. */
static struct object *idle_add_locked(struct object *obj)
{
    struct object *old = NULL;

    if (nidle >= IDLE_MAX) {
        old = idle_first;
        idle_remove_locked(old);
        table_remove_locked(old);
        old->leaving = true;
        old->idle_next = leaving;
        leaving = old;
    }
    obj->idle_next = NULL;
    obj->idle_prev = idle_last;
    if (idle_last)
        idle_last->idle_next = obj;
    else
        idle_first = obj;
    idle_last = obj;
    obj->idle = true;
    nidle++;
    return old;
}

struct object *incore_alloc(void)
{
    struct object *obj = kmem_alloc(sizeof(*obj));

    if (!obj)
        return NULL;
    obj->row = OBJ_NO_ROW;
    obj->record = PHYS_NONE;
    obj->kpages = PHYS_NONE;
    obj->tree.pt.top = PHYS_NONE;
    obj->tree.refs = 1;
    return obj;
}

int row_release(uint32_t row)
{
    int err;

    do {
        struct store *store = pool_lock();

        err = store ? store_obj_release_some(store, row, 1) : 0;
        pool_unlock();
        arch_preemption_point();
    } while (err > 0);
    return err;
}

static void leave(struct object *obj)
{
    struct object **at = &leaving;

    table_lock();
    while (*at != obj)
        at = &(*at)->idle_next;
    *at = obj->idle_next;
    table_unlock();
}

static bool leaves_locked(objid_t id)
{
    struct object *obj = leaving;

    while (obj && !objid_equal(obj->id, id))
        obj = obj->idle_next;
    return obj != NULL;
}

/* Nobody has it: its memory and, if it is dead, its place in the store go. */
void incore_free(struct object *obj)
{
    page_drop_all(obj);
    if (obj->leaving)
        leave(obj);
    if (!phys_is_none(obj->kpages))
        phys_free(obj->kpages, obj->korder);
    if (obj_is_persistent(obj) && obj_is_deleted(obj) && row_release(obj->row) < 0)
        log_printf("object " IDFMT ": its space could not be released", IDPR(obj->id));
    kmem_free(obj, sizeof(*obj));
}

/* The last reference but one's own is gone. */
void obj_release(struct subtree *tree)
{
    struct object *obj = obj_of_tree(tree);
    struct object *gone = NULL, *parent = NULL;
    uint32_t before;

    if (obj->persist == TWZ_PERSIST_RELEASE && obj_is_persistent(obj))
        flush_released(obj);
    table_lock();
    before = atomic_fetch_sub_explicit(&tree->refs, 1, memory_order_acq_rel);
    kassert(before > 1 || (before == 1 && list_is_empty(&tree->mappings) && !obj->idle));
    if (before == 1) {
        if (obj_is_persistent(obj) && !obj_is_deleted(obj)) {
            gone = idle_add_locked(obj);
        } else {
            table_remove_locked(obj);
            parent = tie_cut_locked(obj);
            gone = obj;
        }
    }
    table_unlock();
    if (gone)
        incore_free(gone);
    if (parent)
        obj_put(parent);
}

/* The record of a persistent object that is in the store and not in the table. */
static int load_locked(objid_t id, struct object **out)
{
    struct store_stat stat;
    struct store *store;
    struct object *obj;
    uint32_t row = 0;
    int err = -TWZ_ENOOBJ;

    store = pool_lock();
    if (store)
        err = store_lookup(store, id, &row);
    if (err == 0)
        err = store_obj_info(store, row, &stat);
    pool_unlock();
    if (err < 0)
        return err;
    obj = incore_alloc();
    if (!obj)
        return -TWZ_ENOMEM;
    obj->id = id;
    obj->kuid = stat.kuid;
    obj->nonce[0] = stat.nonce[0];
    obj->nonce[1] = stat.nonce[1];
    obj->account = stat.account.lo;
    obj->revocation_epoch = stat.revoke_epoch;
    obj->kind = stat.kind;
    obj->perms_id = stat.perms_id;
    obj->perms = stat.perms;
    obj->persist = stat.persist;
    obj->row = row;
    obj->flags = TWZ_OBJ_PERSIST;
    if (stat.state == STORE_PROVISIONAL)
        obj->flags |= TWZ_OBJ_PROVISIONAL;
    if (stat.persist == TWZ_PERSIST_PERIODIC)
        flush_watch();
    table_insert_locked(obj);
    *out = obj;
    return 0;
}

int obj_get(objid_t id, struct object **out)
{
    struct object *obj;
    int err = 0;

    table_lock();
    while (!(obj = table_find_locked(id)) && leaves_locked(id)) {
        table_unlock();
        arch_preemption_point();
        table_lock();
    }
    if (!obj) {
        err = load_locked(id, out);
    } else if (obj_is_deleted(obj)) {
        err = -TWZ_EDELETED;
    } else {
        if (obj->idle)
            idle_remove_locked(obj);
        obj_ref(obj);
        *out = obj;
    }
    table_unlock();
    return err;
}

bool table_each_stored(uint32_t first, uint32_t count, void (*act)(struct object *obj, void *ctx),
                       void *ctx)
{
    uint32_t i;

    table_lock();
    for (i = first; i < BUCKETS && i - first < count; i++) {
        struct object *obj;

        for (obj = by_row[i]; obj; obj = obj->row_next)
            act(obj, ctx);
    }
    table_unlock();
    return i < BUCKETS;
}

void objects_lock(struct object *a, struct object *b)
{
    struct object *first = a < b ? a : b;
    struct object *second = a < b ? b : a;

    spin_lock(&first->tree.lock);
    if (second != first)
        spin_lock(&second->tree.lock);
}

void objects_unlock(struct object *a, struct object *b)
{
    if (a != b)
        spin_unlock(&b->tree.lock);
    spin_unlock(&a->tree.lock);
}

struct object *table_delete_row_locked(uint32_t row, bool *known)
{
    struct object *obj = table_find_row_locked(row);

    *known = obj != NULL;
    if (!obj)
        return NULL;
    obj_mark_deleted(obj);
    if (!obj->idle)
        return NULL;
    idle_remove_locked(obj);
    table_remove_locked(obj);
    return obj;
}

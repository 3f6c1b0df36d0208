/* SPDX-License-Identifier: MIT */
/*
 * Owns the link between threads and objects: the kernel-only pages of a THREAD object, the table of
 * all threads by generation, and the upcalls about threads.
 *
 * A thread holds a reference on its object, which owns the user page and the save areas. The
 * kernel keeps the addresses of these pages, because a THREAD object cannot lose pages.
 *
 * Lock order: threads_lock -> thread, sync bucket, kmem -> phys.
 */
#include <kernel/kmem.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/page.h>
#include <kernel/phys.h>
#include <kernel/pool.h>
#include <kernel/sched.h>
#include <kernel/sync.h>
#include <kernel/threadobj.h>
#include <kernel/view.h>
#include <lib/string.h>
#include <twz/hostlink.h>

#define BUCKETS 256u

static SHARED_LOCK struct spinlock threads_lock; /* guards obj->thread, table and nthreads */
static struct thread *table[BUCKETS];
static uint64_t nthreads;
static struct object *init_obj;

/* Allocates the kernel-only pages: one block of frames, half of it for each save area. */
static int alloc_kernel_pages(struct object *obj)
{
    size_t bytes = 2 * ((thread_save_size() + TWZ_PAGE_SIZE - 1) & ~(size_t)(TWZ_PAGE_SIZE - 1));
    unsigned order = 0;

    if (!phys_is_none(obj->kpages))
        return 0;
    while (((size_t)TWZ_PAGE_SIZE << order) < bytes)
        order++;
    obj->kpages = phys_alloc(order);
    if (phys_is_none(obj->kpages))
        return -TWZ_ENOMEM;
    obj->korder = order;
    memset(arch_virt(obj->kpages), 0, (size_t)TWZ_PAGE_SIZE << order);
    return 0;
}

static struct twz_thread_save *save_area(const struct object *obj, unsigned i)
{
    uint8_t *base = arch_virt(obj->kpages);
    size_t half = ((size_t)TWZ_PAGE_SIZE << obj->korder) / 2;

    return (struct twz_thread_save *)(void *)(base + i * half);
}

static void add_thread_locked(struct thread *t)
{
    struct thread **head = &table[t->generation % BUCKETS];

    t->table_next = *head;
    *head = t;
    nthreads++;
}

static void remove_thread_locked(struct thread *t)
{
    struct thread **at = &table[t->generation % BUCKETS];

    while (*at != t)
        at = &(*at)->table_next;
    *at = t->table_next;
    nthreads--;
}

bool threadobj_is_alive(uint32_t generation)
{
    struct thread *t;

    spin_lock(&threads_lock);
    t = table[generation % BUCKETS];
    while (t && (uint32_t)t->generation != generation)
        t = t->table_next;
    spin_unlock(&threads_lock);
    return t != NULL;
}

static void init_user_words(struct thread *t)
{
    struct twz_thread *user = t->user;

    user->id = t->id;
    user->magic = TWZ_THREAD_MAGIC;
    user->generation = t->generation;
    user->exit_fault = 0;
    __atomic_store_n(&user->exit, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&user->spawned, 1, __ATOMIC_RELEASE);
}

/* Creates a thread on obj. The caller must hold threads_lock. Returns NULL if there is no
 * memory. */
static struct thread *create_thread_locked(struct object *obj, struct thread_init *init)
{
    struct thread *t;

    if (alloc_kernel_pages(obj) < 0)
        return NULL;
    init->save[0] = save_area(obj, 0);
    init->save[1] = save_area(obj, 1);
    t = thread_create(init);
    if (!t)
        return NULL;
    obj->thread = t;
    add_thread_locked(t);
    obj_ref(obj);
    init_user_words(t);
    return t;
}

/* Starts a thread on obj. On success the thread owns the caller's reference on the address
 * space. */
static int start_in_addrspace(struct object *obj, struct addrspace *addrspace,
                              const struct thread_start *start)
{
    struct thread_init init = { .id = obj->id,
                                .obj = obj,
                                .user = obj_frame(obj, 1),
                                .addrspace = addrspace,
                                .root = &addrspace->root,
                                .sctx = start->sctx,
                                .regs = start->regs,
                                .priority = start->priority,
                                .cores = start->cores };
    struct thread *t = NULL;
    bool busy;

    if (!init.user)
        return -TWZ_ENOMEM;
    spin_lock(&threads_lock);
    busy = obj->thread != NULL;
    if (!busy)
        t = create_thread_locked(obj, &init);
    spin_unlock(&threads_lock);
    if (!t)
        return busy ? -TWZ_EBUSY : -TWZ_ENOMEM;
    sync_wake(obj, TWZ_OBJ_BASE + offsetof(struct twz_thread, spawned), UINT64_MAX);
    sched_start(t);
    return 0;
}

int threadobj_start(struct object *obj, struct object *view, const struct thread_start *start)
{
    struct addrspace *addrspace;
    int err;

    if (obj->kind != TWZ_KIND_THREAD)
        return -TWZ_ETYPE;
    if (obj_is_persistent(obj))
        return -TWZ_ENOTSUP;
    err = view_addrspace_get(view, start->sctx, &addrspace);
    if (err < 0)
        return err;
    err = start_in_addrspace(obj, addrspace, start);
    if (err < 0)
        view_addrspace_put(addrspace);
    return err;
}

int threadobj_with(struct object *obj, int (*act)(struct thread *t, void *arg), void *arg)
{
    int err = -TWZ_ENOOBJ;

    if (obj->kind != TWZ_KIND_THREAD)
        return -TWZ_ETYPE;
    spin_lock(&threads_lock);
    if (obj->thread)
        err = act(obj->thread, arg);
    spin_unlock(&threads_lock);
    return err;
}

int threadobj_switch_view(struct thread *t, struct object *view)
{
    struct addrspace *addrspace, *old = t->addrspace;
    int err = view_addrspace_get(view, t->sctx, &addrspace);

    if (err < 0)
        return err;
    t->addrspace = addrspace;
    t->root = &addrspace->root;
    arch_root_load(t->root);
    view_addrspace_put(old);
    return 0;
}

uint64_t threadobj_count(void)
{
    return nthreads;
}

void threadobj_set_init(struct object *obj)
{
    obj_ref(obj);
    init_obj = obj;
}

/* --- upcalls ---------------------------------------------------------------------------------- */

int threadobj_resolve_fault(struct thread *t, uint64_t addr, unsigned need, struct twz_fault *fault)
{
    return view_fault(t->addrspace, addr, need, fault);
}

uint64_t threadobj_fault_entry(struct thread *t, unsigned kind)
{
    return view_fault_entry(t->addrspace, kind);
}

bool threadobj_locate(struct thread *t, uint64_t addr, objid_t *object, uint64_t *off)
{
    struct subtree *tree;
    unsigned rights;

    *off = addr % TWZ_OBJ_SIZE;
    if (addr >> TWZ_OBJ_SHIFT >= TWZ_SLOTS)
        return false;
    tree = addrspace_slot(t->addrspace, (uint32_t)(addr >> TWZ_OBJ_SHIFT), &rights);
    if (!tree)
        return false;
    *object = obj_of_tree(tree)->id;
    subtree_put(tree);
    return true;
}

void threadobj_drop_progress(struct thread *t)
{
    struct object *obj = t->progress.obj;

    t->progress.call = 0;
    t->progress.obj = NULL;
    if (!obj)
        return;
    if (obj_delete(obj, false) < 0)
        log_printf("object " IDFMT ": left behind by a call that never ended", IDPR(obj->id));
    obj_put(obj);
}

static void put_wait_object(const void *object)
{
    obj_put((struct object *)(uintptr_t)object);
}

void threadobj_ended(struct thread *t)
{
    struct object *obj = t->obj;
    uint64_t code = t->user->exit_code;

    if (t->nwaiters > 0) /* damaged save areas: the thread could not end its sleep */
        (void)sync_cancel(t, put_wait_object);
    threadobj_drop_progress(t);
    spin_lock(&threads_lock);
    obj->thread = NULL;
    remove_thread_locked(t);
    __atomic_store_n(&t->user->exit, 1, __ATOMIC_RELEASE);
    spin_unlock(&threads_lock);
    sync_wake_all_batches(obj, TWZ_OBJ_BASE + offsetof(struct twz_thread, exit), UINT64_MAX);
    view_addrspace_put(t->addrspace);
    if (obj == init_obj)
        fatal(TWZ_HOST_STOP_PANIC, "the first program ended with status %llu",
              (unsigned long long)code);
    obj_put(obj);
}

/* SPDX-License-Identifier: MIT */
/*
 * Owns the link between threads and objects: the record and the user page of a THREAD object, the
 * table of all threads by generation, and the upcalls about threads.
 *
 * A thread holds a reference on its object, which owns the frames of the record. They are DRAM, for
 * a persistent object too: kso/threadsave.c writes its slots.
 *
 * A waiter may read the exit record as soon as the exit word is set, and start another thread on
 * the object. So the exit word is set, after the record, while the object has no thread and
 * threads_lock is held.
 *
 * Lock order: threads_lock -> thread, sync bucket, in-core object -> pool -> kmem -> phys.
 */
#include <kernel/context.h>
#include <kernel/gate.h>
#include <kernel/kmem.h>
#include <kernel/kso.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/page.h>
#include <kernel/phys.h>
#include <kernel/pool.h>
#include <kernel/sched.h>
#include <kernel/sync.h>
#include <kernel/threadobj.h>
#include <kernel/threadsave.h>
#include <kernel/view.h>
#include <lib/string.h>
#include <twz/hostlink.h>

#define BUCKETS 256u

static SHARED_LOCK struct spinlock threads_lock; /* guards obj->thread and table */
static struct thread *table[BUCKETS];
static struct object *init_obj;

/* Allocates the frames of the record. */
static int alloc_kernel_pages(struct object *obj)
{
    size_t bytes = thread_save_size();
    unsigned order = 0;
    int err;

    if (!phys_is_none(obj->kpages))
        return 0;
    while (((size_t)TWZ_PAGE_SIZE << order) < bytes)
        order++;
    err = phys_alloc_for(obj->payer, order, &obj->kpages);
    if (err < 0)
        return err;
    obj->korder = order;
    memset(arch_virt(obj->kpages), 0, (size_t)TWZ_PAGE_SIZE << order);
    return 0;
}

static void add_thread_locked(struct thread *t)
{
    struct thread **head = &table[t->generation % BUCKETS];

    t->table_next = *head;
    *head = t;
}

static void remove_thread_locked(struct thread *t)
{
    struct thread **at = &table[t->generation % BUCKETS];

    while (*at != t)
        at = &(*at)->table_next;
    *at = t->table_next;
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

#define USER_OFF(field) (TWZ_OBJ_BASE + offsetof(struct twz_thread, field))

/* Stores into the user page of t, durably if its object is persistent. */
static int store_user(const struct thread *t, uint64_t off, const void *from, size_t len)
{
    if (!t->user)
        return obj_write(t->obj, off, from, len);
    memcpy((uint8_t *)t->user + off % TWZ_PAGE_SIZE, from, len);
    return 0;
}

/* Sets a word of the user page, after all that was stored before. */
static int store_word(const struct thread *t, uint64_t off, uint64_t value)
{
    if (!t->user)
        return obj_write(t->obj, off, &value, sizeof(value));
    __atomic_store_n((uint64_t *)(void *)((uint8_t *)t->user + off % TWZ_PAGE_SIZE), value,
                     __ATOMIC_RELEASE);
    return 0;
}

/* The words of a new thread in a page of DRAM; the last one tells that it was started. */
static void set_user_words(struct twz_thread *user, const struct thread *t)
{
    user->id = t->id;
    user->magic = TWZ_THREAD_MAGIC;
    user->context = t->sctx;
    user->generation = t->generation;
    user->boot = kso_resume_count();
    user->exit_fault = 0;
    __atomic_store_n(&user->exit, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&user->spawned, 1, __ATOMIC_RELEASE);
}

/* The same in a page of the pool, each durably. */
static int write_user_words(const struct thread *t)
{
    const uint64_t magic = TWZ_THREAD_MAGIC;
    int err = store_user(t, USER_OFF(id), &t->id, sizeof(t->id));

    if (err == 0)
        err = store_user(t, USER_OFF(magic), &magic, sizeof(magic));
    if (err == 0)
        err = store_user(t, USER_OFF(context), &t->sctx, sizeof(t->sctx));
    if (err == 0)
        err = store_word(t, USER_OFF(generation), t->generation);
    if (err == 0)
        err = store_word(t, USER_OFF(boot), kso_resume_count());
    if (err == 0)
        err = store_word(t, USER_OFF(exit_fault), 0);
    if (err == 0)
        err = store_word(t, USER_OFF(exit), 0);
    if (err == 0)
        err = store_word(t, USER_OFF(spawned), 1);
    return err;
}

static void init_user_words(const struct thread *t)
{
    if (t->user)
        set_user_words(t->user, t);
    else if (write_user_words(t) < 0)
        log_printf("thread " IDFMT ": its page is lost", IDPR(t->id));
}

/* Writes the exit record, then the exit word. */
static void write_exit_record(const struct thread *t, uint64_t code, const struct twz_fault *fault)
{
    int err = 0;

    if (fault)
        err = store_user(t, USER_OFF(fault), fault, sizeof(*fault));
    if (err == 0)
        err = store_word(t, USER_OFF(exit_fault), fault != NULL);
    if (err == 0)
        err = store_word(t, USER_OFF(exit_code), code);
    if (err == 0)
        err = store_word(t, USER_OFF(exit), 1);
    if (err < 0)
        log_printf("thread " IDFMT ": its exit record is lost", IDPR(t->id));
}

/* Makes sure that the user page exists. *user is its address, or NULL if the object is
 * persistent. */
static int get_user_page(struct object *obj, struct twz_thread **user)
{
    const uint64_t zero = 0;

    *user = NULL;
    if (obj_is_persistent(obj))
        return obj_write(obj, USER_OFF(reserved), &zero, sizeof(zero)) < 0 ? -TWZ_ENOSPC : 0;
    *user = obj_frame(obj, 1);
    return *user ? 0 : -TWZ_ENOMEM;
}

/* Creates a thread on obj. The caller must hold threads_lock. */
static int create_thread_locked(struct object *obj, struct thread_init *init)
{
    int err = obj->thread ? -TWZ_EBUSY : alloc_kernel_pages(obj);
    struct thread *t;

    if (err < 0)
        return err;
    init->save = arch_virt(obj->kpages);
    err = thread_create(init, &t);
    if (err < 0)
        return err;
    obj->thread = t;
    add_thread_locked(t);
    obj_ref(obj);
    init_user_words(t);
    return 0;
}

static void put_object(const void *object)
{
    obj_put((struct object *)(uintptr_t)object);
}

/* The first thread has no spawner, and nothing waits for it. */
static void wake_spawned(struct object *obj)
{
    if (!current())
        return;
    obj_ref(obj);
    sync_wake_all(&current()->waker, obj, USER_OFF(spawned), put_object);
}

/* Starts a thread on obj. On success the thread owns the caller's reference on the address
 * space. */
static int start_in_addrspace(struct object *obj, struct object *view, struct addrspace *addrspace,
                              const struct thread_start *start)
{
    struct thread_init init = { .id = obj->id,
                                .obj = obj,
                                .view = view->id,
                                .addrspace = addrspace,
                                .root = &addrspace->root,
                                .sctx = start->context->id,
                                .account = start->account,
                                .regs = start->regs,
                                .priority = start->priority,
                                .cores = start->cores,
                                .limited = !addrspace->first };
    struct thread *t;
    int err = get_user_page(obj, &init.user);

    if (err < 0)
        return err;
    spin_lock(&threads_lock);
    err = create_thread_locked(obj, &init);
    t = obj->thread;
    spin_unlock(&threads_lock);
    if (err < 0)
        return err;
    sched_start(t);
    wake_spawned(obj);
    return 0;
}

int threadobj_start(struct object *obj, struct object *view, const struct thread_start *start)
{
    struct addrspace *addrspace;
    int err;

    if (obj->kind != TWZ_KIND_THREAD)
        return -TWZ_ETYPE;
    err = view_addrspace_get(view, start->context, &addrspace);
    if (err < 0)
        return err;
    err = start_in_addrspace(obj, view, addrspace, start);
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

int threadobj_switch(struct thread *t, struct object *view, struct context *context)
{
    struct addrspace *addrspace, *old = t->addrspace;
    int err = view_addrspace_get(view, context, &addrspace);

    if (err < 0)
        return err;
    t->view = view->id;
    t->sctx = context->id;
    t->addrspace = addrspace;
    t->root = &addrspace->root;
    arch_root_load(t->root);
    t->limited = !addrspace->first;
    cpu_limit_memory(t->limited);
    view_addrspace_put(old);
    return 0;
}

void threadobj_save_all(void)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct thread *t = table[i]; t; t = t->table_next) {
            if (!t->user && threadsave_write(t) < 0)
                log_printf("thread " IDFMT ": its record cannot be written", IDPR(t->id));
        }
    }
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
    int err;

    copy_unreserve(&t->progress.reserved);
    obj_seal_drop(&t->progress.sealing);
    sealed_forget(t);
    t->progress.call = 0;
    t->progress.obj = NULL;
    if (!obj)
        return;
    err = obj_delete(obj, false);
    if (err < 0 && err != -TWZ_EDELETED) /* deleted by its parent's deletion, if that came first */
        log_printf("object " IDFMT ": left behind by a call that never ended", IDPR(obj->id));
    obj_put(obj);
}

void threadobj_ended(struct thread *t, uint64_t code, const struct twz_fault *fault)
{
    struct object *obj = t->obj;

    if (t->nwaiters > 0) /* its registers could not be loaded, so it did not end its sleep */
        (void)sync_cancel(t, put_object);
    threadobj_drop_progress(t);
    gate_end_all(t);
    kmem_free(t->scratch, t->scratch_size);
    spin_lock(&threads_lock);
    obj->thread = NULL;
    remove_thread_locked(t);
    write_exit_record(t, code, fault);
    spin_unlock(&threads_lock);
    if (obj == init_obj)
        fatal(TWZ_HOST_STOP_PANIC, "the first program ended with status %llu",
              (unsigned long long)code);
    view_addrspace_put(t->addrspace);
    sync_wake_all(&t->end_waker, obj, USER_OFF(exit), put_object);
}

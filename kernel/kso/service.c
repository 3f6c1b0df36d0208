/* SPDX-License-Identifier: MIT */
/*
 * Owns attached services. obj->service is set from the attachment of a SERVICE object to its
 * detachment or deletion; it keeps a reference on the object, so that the object is not evicted.
 *
 * A service holds the address space of its view and context. It is destroyed as deferred work after
 * the last call in progress.
 *
 * Lock order: in-core object; callframe.c has the locks of the frames.
 */
#include <kernel/defer.h>
#include <kernel/kmem.h>
#include <kernel/page.h>
#include <kernel/service.h>
#include <kernel/view.h>

/* --- the words -------------------------------------------------------------------------------- */

/* True: [base, base + (count - 1) * stride + len) is user memory. */
static bool is_in_user_memory(const struct twz_frame_part *part, uint32_t count, uint64_t len)
{
    uint64_t room = ARCH_USER_LIMIT - len;

    return part->base <= room && part->stride <= (room - part->base) / count;
}

static bool are_frames_valid(const struct twz_service *w)
{
    if (w->frames == 0 || w->frames > TWZ_SERVICE_FRAMES || w->reserve >= w->frames)
        return false;
    return (w->stack.base | w->stack.stride) % 16 == 0 && w->stack.base != 0 &&
           (w->page.base | w->page.stride) % 64 == 0 && w->page.base != 0 &&
           is_in_user_memory(&w->stack, w->frames, 0) && is_in_user_memory(&w->tls, w->frames, 1) &&
           is_in_user_memory(&w->page, w->frames, sizeof(struct twz_thread));
}

static bool are_entries_valid(const struct twz_service *w)
{
    return w->length != 0 && w->entry < ARCH_USER_LIMIT &&
           w->length <= ARCH_USER_LIMIT - w->entry && w->align != 0 &&
           (w->align & (w->align - 1)) == 0;
}

int service_read(struct object *obj, unsigned priority, struct twz_service *words)
{
    uint64_t reserved = 0;
    int err = obj_read(obj, TWZ_OBJ_BASE, words, sizeof(*words));

    if (err < 0)
        return err;
    for (size_t i = 0; i < ARRAY_LEN(words->reserved); i++)
        reserved |= words->reserved[i];
    if (words->magic != TWZ_SERVICE_MAGIC)
        return -TWZ_EINVAL;
    if (words->version != TWZ_SERVICE_VERSION)
        return -TWZ_EVERSION;
    if (reserved != 0 || words->priority > priority || !are_frames_valid(words) ||
        !are_entries_valid(words))
        return -TWZ_EINVAL;
    return 0;
}

/* --- attachment ------------------------------------------------------------------------------- */

static bool destroy_step(struct deferred *work)
{
    struct service *s = CONTAINER_OF(work, struct service, work);

    if (callframes_end_some(&s->frames))
        return true;
    view_addrspace_put(s->addrspace);
    kmem_free(s, sizeof(*s));
    return false;
}

void service_put(struct service *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    s->work.step = destroy_step;
    defer(&s->work);
}

static int create_service(const struct object *obj, const struct service_spec *spec,
                          struct service **out)
{
    struct service *s = kmem_alloc(sizeof(*s));
    int err;

    if (!s)
        return -TWZ_ENOMEM;
    s->id = obj->id;
    s->parent = spec->parent;
    s->index = spec->index;
    s->words = spec->words;
    s->refs = 1;
    s->frames.count = spec->words.frames;
    s->frames.reserve = spec->words.reserve;
    err = callframes_init(&s->frames);
    if (err < 0) {
        kmem_free(s, sizeof(*s));
        return err;
    }
    err = view_addrspace_get(spec->view, spec->context, &s->addrspace);
    if (err < 0) {
        while (callframes_end_some(&s->frames))
            continue;
        kmem_free(s, sizeof(*s));
        return err;
    }
    *out = s;
    return 0;
}

int service_attach(struct object *obj, const struct service_spec *spec)
{
    struct service *s;
    int err = create_service(obj, spec, &s);

    if (err < 0)
        return err;
    spin_lock(&obj->tree.lock);
    if (obj_is_deleted(obj))
        err = -TWZ_EDELETED;
    else if (obj->service)
        err = -TWZ_EBUSY;
    if (err == 0) {
        obj_ref(obj);
        obj->service = s;
    }
    spin_unlock(&obj->tree.lock);
    if (err < 0)
        service_put(s);
    return err;
}

void service_detach(struct object *obj)
{
    struct service *s;

    spin_lock(&obj->tree.lock);
    s = obj->service;
    obj->service = NULL;
    spin_unlock(&obj->tree.lock);
    if (!s)
        return;
    service_put(s);
    obj_put(obj);
}

bool service_is_at(struct object *obj, objid_t parent, uint64_t index)
{
    bool is;

    spin_lock(&obj->tree.lock);
    is = obj->service && objid_equal(obj->service->parent, parent) && obj->service->index == index;
    spin_unlock(&obj->tree.lock);
    return is;
}

int service_get(struct object *obj, struct service **out)
{
    struct service *s;

    if (obj->kind != TWZ_KIND_SERVICE)
        return -TWZ_ETYPE;
    spin_lock(&obj->tree.lock);
    s = obj->service;
    if (s)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    spin_unlock(&obj->tree.lock);
    *out = s;
    return s ? 0 : -TWZ_ENOOBJ;
}

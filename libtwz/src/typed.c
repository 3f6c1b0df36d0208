/* SPDX-License-Identifier: MIT */
/*
 * Underneath the typed layer: type fingerprints, room inside an object, single-word stores.
 *
 * CRASH PROTOCOL. An object made by twz_open has its fingerprint and size before its name commits
 * (hier's create). Room is claimed by raising meta.size, which is durable before the room is given
 * out, so no power cut can give it out twice; room whose claim was durable and whose link was not
 * stays unused.
 */
#include <twz/typed.h>

#include "platform.h"

struct typed_fill {
    uint64_t type;
    uint64_t size;
};

static int set_error(int error)
{
    *plat_error() = error;
    return error;
}

int twz_error_last(void)
{
    return (int)*plat_error();
}

uint64_t twz_type_print(const char *name, uint64_t size)
{
    uint64_t print = 0xcbf29ce484222325ull;

    for (; *name; name++)
        print = (print ^ (uint8_t)*name) * 0x100000001b3ull;
    for (uint32_t i = 0; i < 8; i++)
        print = (print ^ (uint8_t)(size >> (8 * i))) * 0x100000001b3ull;
    return print ? print : 1;
}

static int typed_init(const twzobj *obj, void *ctx)
{
    const struct typed_fill *fill = ctx;
    struct twz_meta *meta = twz_object_meta(obj);
    int err = plat_touch(meta, sizeof(*meta));

    if (err >= 0)
        err = plat_touch(twz_object_base(obj), fill->size);
    if (err < 0)
        return err;
    twz_persist_store64(&meta->magic, TWZ_META_MAGIC);
    twz_persist_store64(&meta->size, fill->size);
    twz_persist_store64(&meta->type, fill->type);
    twz_persist_flush(meta, sizeof(*meta)); /* hier's create fences before the name */
    return 0;
}

static int typed_open(const char *path, const struct typed_fill *fill, uint32_t flags, twzobj *obj)
{
    int err = twz_object_init_name(obj, path, TWZ_READ | TWZ_WRITE);

    if (err == -TWZ_ENONAME && (flags & TWZ_CREATE)) {
        err = twz_name_create(path, 0, typed_init, (void *)(uintptr_t)fill, obj);
        if (err == -TWZ_EEXIST)
            err = twz_object_init_name(obj, path, TWZ_READ | TWZ_WRITE);
    }
    if (err < 0)
        return err;
    if (twz_object_meta(obj)->type != fill->type) {
        twz_object_release(obj);
        return -TWZ_ETYPE;
    }
    return 0;
}

const void *twz_open_typed(const char *path, uint64_t type, uint64_t size, uint32_t flags)
{
    struct typed_fill fill = { .type = type, .size = size };
    twzobj obj;
    int err;

    if ((flags & ~TWZ_CREATE) || size > TWZ_OBJ_DATA_MAX) {
        set_error(-TWZ_EINVAL);
        return NULL;
    }
    err = typed_open(path, &fill, flags, &obj);
    if (err < 0) {
        set_error(err);
        return NULL;
    }
    return twz_object_base(&obj);
}

int twz_ref_set(const twz_pptr_t *field, const void *target, int durable)
{
    twz_pptr_t *word = (twz_pptr_t *)(uintptr_t)field;
    twz_pptr_t p = { 0 };
    twzobj obj;
    int err;

    if (target && ((uintptr_t)target ^ (uintptr_t)field) >> TWZ_OBJ_SHIFT == 0) {
        p = twz_ptr_local(target);
    } else if (target) {
        err = twz_object_init_ptr(&obj, field);
        if (err >= 0)
            err = twz_ptr_swizzle(&obj, target, TWZ_READ | TWZ_WRITE, &p);
        if (err < 0)
            return set_error(err);
    }
    twz_persist_store64(&word->raw, p.raw); /* COMMIT: the reference, once flushed */
    if (durable)
        twz_persist(word, sizeof(*word));
    return 0;
}

void twz_put_word(const void *field, const void *value, size_t size)
{
    void *to = (void *)(uintptr_t)field;

    switch (size) {
    case 1: __atomic_store_n((uint8_t *)to, *(const uint8_t *)value, __ATOMIC_RELEASE); break;
    case 2: __atomic_store_n((uint16_t *)to, *(const uint16_t *)value, __ATOMIC_RELEASE); break;
    case 4: __atomic_store_n((uint32_t *)to, *(const uint32_t *)value, __ATOMIC_RELEASE); break;
    default: twz_persist_store64(to, *(const uint64_t *)value); break;
    }
    twz_persist(to, size); /* COMMIT: the field */
}

/* Claim `size` bytes from meta.size on: their offset from the base. */
static int64_t claim(struct twz_meta *meta, uint64_t size, uint64_t align)
{
    uint64_t old = __atomic_load_n(&meta->size, __ATOMIC_RELAXED);
    uint64_t at;

    do {
        at = (old + align - 1) & ~(align - 1);
        if (at < old || at > TWZ_OBJ_DATA_MAX || size > TWZ_OBJ_DATA_MAX - at)
            return -TWZ_EFULL;
    } while (!__atomic_compare_exchange_n(&meta->size, &old, at + size, 0, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    twz_persist(&meta->size, sizeof(meta->size)); /* COMMIT: the room is taken */
    return (int64_t)at;
}

void *twz_new_room(const void *in, uint64_t size, uint64_t align)
{
    uint8_t *start = (uint8_t *)((uintptr_t)in & ~(uintptr_t)(TWZ_OBJ_SIZE - 1));
    struct twz_meta *meta = (struct twz_meta *)(void *)(start + TWZ_OBJ_META);
    uint8_t *room;
    int64_t at;
    int err;

    if (size == 0 || align == 0 || (align & (align - 1)) || align > TWZ_PAGE_SIZE) {
        set_error(-TWZ_EINVAL);
        return NULL;
    }
    err = plat_touch(meta, sizeof(*meta));
    at = err < 0 ? err : claim(meta, size, align);
    if (at >= 0) {
        room = start + TWZ_OBJ_BASE + at;
        err = plat_touch(room, size);
        at = err < 0 ? err : at;
    }
    if (at < 0) {
        set_error((int)at);
        return NULL;
    }
    twz_persist_zero(room, size);
    return room;
}

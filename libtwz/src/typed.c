/* SPDX-License-Identifier: MIT */
/*
 * The functions behind the macros of the typed layer: type fingerprints and stores of one word.
 *
 * CRASH PROTOCOL. The fingerprint and the size of an object that twz_open makes are durable before
 * its name commits (hier_create).
 */
#include <twz/typed.h>

#include "platform.h"

struct typed_fill {
    uint64_t type;
    uint64_t size;
};

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
    twz_persist_flush(meta, sizeof(*meta)); /* hier_create fences: meta, before the name */
    return 0;
}

/* The error for an object of another type. */
static int error_of_type(const char *path)
{
    struct twz_name_info info;

    if (twz_name_lookup(path, &info) == 0 && info.kind == TWZ_NAME_DIR)
        return -TWZ_EISDIR;
    return -TWZ_ETYPE;
}

/* Open the object, or make it. -TWZ_ETYPE if it was made for another type, -TWZ_EISDIR if it is a
 * directory. */
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
        return error_of_type(path);
    }
    return 0;
}

const void *twz_open_typed(const char *path, uint64_t type, uint64_t size, uint32_t flags)
{
    struct typed_fill fill = { .type = type, .size = size };
    twzobj obj;
    int err;

    if ((flags & ~TWZ_CREATE) || size > TWZ_OBJ_DATA_MAX) {
        set_last_error(-TWZ_EINVAL);
        return NULL;
    }
    err = typed_open(path, &fill, flags, &obj);
    if (err < 0) {
        set_last_error(err);
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
            return set_last_error(err);
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

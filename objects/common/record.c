/* SPDX-License-Identifier: MIT */
/* The steps of common/layout.h. */
#include <common/record.h>
#include <twz/guard.h>
#include <twz/persist.h>

#define READ_TRIES 64u

static struct record_head *head_of(const twzobj *obj)
{
    return twz_object_base(obj);
}

/* The copy that is in force after `current` changes. */
static uint8_t *copy_at(const twzobj *obj, const struct record_type *type, uint64_t current)
{
    return (uint8_t *)twz_object_base(obj) + sizeof(struct record_head) +
           (current & 1) * type->size;
}

int record_expect(bool good, type_found found, void *ctx, uint64_t off, const char *what)
{
    if (good)
        return 0;
    if (found)
        found(ctx, off, what);
    return 1;
}

bool record_is_zero(const void *bytes, size_t len)
{
    const uint8_t *b = bytes;
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++)
        any |= b[i];
    return any == 0;
}

static int check_head(const twzobj *obj, const struct record_type *type)
{
    const struct record_head *head = head_of(obj);

    if (head->magic != type->magic)
        return -TWZ_ETYPE;
    if (head->version != type->version)
        return -TWZ_EVERSION;
    return head->size == type->size && head->current != 0 ? 0 : -TWZ_EDAMAGED;
}

static int do_init(const twzobj *obj, const struct record_type *type, const void *first)
{
    struct record_head *head = head_of(obj);
    struct twz_meta *meta = twz_object_meta(obj);
    const uint64_t len = sizeof(*head) + 2 * type->size;
    int err;

    twz_guard_watch(obj->start);
    err = twz_touch(head, len);
    if (err >= 0)
        err = twz_touch(meta, sizeof(*meta));
    if (err < 0)
        return err;
    twz_persist_zero(head, len);
    twz_persist_store64(&head->magic, type->magic);
    twz_persist_store64(&head->version, type->version);
    twz_persist_store64(&head->size, type->size);
    twz_persist_store64(&head->current, 1);
    twz_persist_copy(copy_at(obj, type, 1), first, type->size);
    twz_persist_store64(&meta->magic, TWZ_META_MAGIC);
    twz_persist_store64(&meta->type, type->magic);
    twz_persist_flush(meta, sizeof(*meta));
    twz_persist_flush(head, len); /* addext fences; not reachable yet */
    return twz_object_addext(obj, type->tag, head);
}

int record_init(const twzobj *obj, const struct record_type *type, const void *first)
{
    if (type->inspect(first, NULL, NULL) != 0)
        return -TWZ_EINVAL;
    return TWZ_GUARDED(do_init(obj, type, first));
}

static void copy_words(uint64_t *to, const uint64_t *from, uint64_t size)
{
    for (uint64_t i = 0; i < size / sizeof(*to); i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

/* A writer stores to the copy in force only after it has raised `current` once more. So the words
 * are of one structure if `current` is the same after they were read. */
static int do_read(const twzobj *obj, const struct record_type *type, void *out)
{
    const struct record_head *head = head_of(obj);
    int err;

    twz_guard_watch(obj->start);
    err = check_head(obj, type);
    for (uint32_t i = 0; err >= 0 && i < READ_TRIES; i++) {
        uint64_t current = __atomic_load_n(&head->current, __ATOMIC_ACQUIRE);

        copy_words(out, (const uint64_t *)(const void *)copy_at(obj, type, current), type->size);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&head->current, __ATOMIC_RELAXED) == current)
            return 0;
    }
    return err < 0 ? err : -TWZ_EBUSY;
}

int record_read(const twzobj *obj, const struct record_type *type, void *out)
{
    return TWZ_GUARDED(do_read(obj, type, out));
}

int record_read_valid(const twzobj *obj, const struct record_type *type, void *out)
{
    int err = record_read(obj, type, out);

    if (err < 0)
        return err;
    return type->inspect(out, NULL, NULL) == 0 ? 0 : -TWZ_EDAMAGED;
}

static void replace_locked(const twzobj *obj, const struct record_type *type, const void *in)
{
    struct record_head *head = head_of(obj);
    uint64_t old = __atomic_load_n(&head->current, __ATOMIC_RELAXED);

    twz_persist_copy(copy_at(obj, type, old + 1), in, type->size);
    twz_persist_flush(copy_at(obj, type, old + 1), type->size);
    twz_persist_fence(); /* the new copy, before the word that puts it in force */
    twz_persist_commit64(&head->current, old + 1); /* COMMIT: the new structure is in force */
    twz_persist_zero(copy_at(obj, type, old), type->size);
    twz_persist(copy_at(obj, type, old), type->size);
}

static int do_write(const twzobj *obj, const struct record_type *type, const void *in)
{
    struct record_head *head = head_of(obj);
    int err;

    twz_guard_watch(obj->start);
    err = check_head(obj, type);
    if (err >= 0)
        err = twz_touch(head, sizeof(*head) + 2 * type->size);
    if (err < 0)
        return err;
    twz_guard_acquire(&head->lock); /* a dead owner leaves a valid record */
    replace_locked(obj, type, in);
    twz_guard_unlock(&head->lock);
    twz_mutex_unlock(&head->lock);
    return 0;
}

int record_write(const twzobj *obj, const struct record_type *type, const void *in)
{
    if (type->inspect(in, NULL, NULL) != 0)
        return -TWZ_EINVAL;
    return TWZ_GUARDED(do_write(obj, type, in));
}

struct shift {
    type_found found;
    void *ctx;
    uint64_t by;
};

/* Report an offset in the structure as one in the object. */
static void found_in_copy(void *ctx, uint64_t off, const char *what)
{
    const struct shift *shift = ctx;

    if (shift->found)
        shift->found(shift->ctx, shift->by + off, what);
}

int record_check(const twzobj *obj, const struct record_type *type, type_found found, void *ctx)
{
    uint64_t structure[RECORD_SIZE_MAX / sizeof(uint64_t)];
    struct shift shift = { found, ctx, 0 };
    int err;

    err = record_read(obj, type, structure);
    if (err == -TWZ_EDAMAGED)
        return record_expect(false, found, ctx, TWZ_OBJ_BASE, "the head is damaged");
    if (err < 0)
        return err;
    shift.by = (uint64_t)(copy_at(obj, type, head_of(obj)->current) - obj->start);
    return type->inspect(structure, found_in_copy, &shift);
}

/* SPDX-License-Identifier: MIT */
/*
 * The superblock (two copies, frames 0 and 1) and the monotonic counters (two copies in frames of
 * their own).
 *
 * Changing the superblock. The check of a copy covers its body and its sequence number; the valid
 * copy with the higher number is in force.
 *
 *   step                                     durable before it   after a crash in this step
 *   1 write the copy not in force, with      -                   old state: the check of the copy
 *     sequence + 1 and a new check                               fails
 *     COMMIT: the copy is complete           -                   new state
 *   2 write the other copy in the same way   the first copy      new state; recovery writes it
 *
 * Raising a counter: COMMIT: the word in either copy; one fence makes both durable. Recovery takes
 * the higher valid copy, so neither a power failure nor one bad line can lower the counter.
 */
#include <lib/crc32c.h>
#include <stdatomic.h>
#include <store/inside.h>

uint32_t store_layout(void)
{
#define LAYOUT_STRUCT(name)       sizeof(struct name),
#define LAYOUT_FIELD(name, field) offsetof(struct name, field), sizeof(((struct name *)0)->field),
#define LAYOUT_NUMBER(name)       name,
    static const uint64_t layout[] = {
#include <store/layout.def>
    };

    static _Atomic uint32_t known; /* 0: not computed yet */
    uint32_t crc = atomic_load_explicit(&known, memory_order_relaxed);

    if (crc == 0) {
        crc = crc32c(0, layout, sizeof(layout));
        atomic_store_explicit(&known, crc, memory_order_relaxed);
    }
    return crc;
}

/* The last word of a copy: the check of all before it. */
static uint64_t super_seal(const struct store_super *super)
{
    uint32_t crc = crc32c(0, super, offsetof(struct store_super, commit));

    return (uint64_t)crc | (uint64_t)~crc << 32;
}

int super_copy_state(const struct store_super *super)
{
    if (super->magic != STORE_MAGIC)
        return -TWZ_ENOTPOOL;
    if (super->version != STORE_VERSION) /* 0: store_mkpool was interrupted */
        return super->version ? -TWZ_EVERSION : -TWZ_EDAMAGED;
    if (super->commit != super_seal(super))
        return -TWZ_EDAMAGED;
    return super->layout == store_layout() ? 0 : -TWZ_EVERSION;
}

void super_write(void *base, uint32_t copy, const struct store_super *super)
{
    struct store_super *to = (void *)((uint8_t *)base + (size_t)copy * STORE_FRAME_SIZE);
    struct store_super sealed = *super;

    sealed.commit = super_seal(super);
    persist_copy(to, &sealed, sizeof(sealed)); /* COMMIT: the superblock, once its check fits */
    persist_flush(to, sizeof(*to));
    persist_fence(); /* this copy, before the other changes or the caller relies on it */
}

struct range {
    uint64_t first;
    uint64_t count;
};

static bool are_disjoint(const struct range *ranges, uint32_t count, uint64_t frames)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ranges[i].first >= frames || ranges[i].count > frames - ranges[i].first)
            return false;
        for (uint32_t j = 0; j < i; j++)
            if (ranges[i].first < ranges[j].first + ranges[j].count &&
                ranges[j].first < ranges[i].first + ranges[i].count)
                return false;
    }
    return true;
}

static int set_report(struct store_report *why, int code, uint64_t found, uint64_t wanted,
                      const char *what)
{
    *why = (struct store_report){
        .code = code, .row = STORE_NO_ROW, .found = found, .wanted = wanted, .what = what
    };
    return -code;
}

int super_check(const struct store_super *super, uint64_t frames, struct store_report *why)
{
    uint64_t dir_frames = (super->dir_words + STORE_DIR_WORDS - 1) / STORE_DIR_WORDS;
    const struct range fixed[] = {
        { 0, 2 },
        { super->mono[0], 1 },
        { super->mono[1], 1 },
        { super->dir[0], dir_frames },
        { super->dir[1], dir_frames },
        { super->bad, 1 },
    };
    uint64_t unknown = super->incompatible & ~STORE_INCOMPATIBLE;

    if (unknown)
        return set_report(why, TWZ_EVERSION, unknown, STORE_INCOMPATIBLE,
                          "superblock: unknown incompatible features");
    if (super->frames > frames)
        return set_report(why, TWZ_ESHORT, frames << STORE_FRAME_SHIFT,
                          super->frames << STORE_FRAME_SHIFT, "size in bytes against superblock");
    if (super->frames < STORE_FRAMES_MIN || super->frames > STORE_FRAMES_MAX)
        return set_report(why, TWZ_EDAMAGED, super->frames, STORE_FRAMES_MIN,
                          "superblock: frame count");
    if (super->member_count < 1 || super->member_count > STORE_MEMBERS ||
        super->member_index >= super->member_count)
        return set_report(why, TWZ_EDAMAGED, super->member_index, super->member_count,
                          "superblock: member list");
    if (super->member_count > 1)
        return set_report(why, TWZ_EMEMBER, super->member_index ? 0 : 1, super->member_count,
                          "a member of the pool is missing");
    if (!super->dir_words || super->dir_words > STORE_CHUNKS_MAX ||
        super->dir_words > super->frames || /* a chunk is a frame */
        !are_disjoint(fixed, sizeof(fixed) / sizeof(fixed[0]), super->frames))
        return set_report(why, TWZ_EDAMAGED, super->dir[0], super->dir_words,
                          "superblock: location of directory, counters or list");
    if (super->frames < frames)
        return set_report(why, TWZ_ERANGE, frames << STORE_FRAME_SHIFT,
                          super->frames << STORE_FRAME_SHIFT, "size in bytes against superblock");
    return 0;
}

uint64_t store_unknown_features(const struct store *store)
{
    return store->super.readonly_compatible & ~STORE_READONLY_COMPATIBLE;
}

const struct store_super *store_super_get(const struct store *store)
{
    return &store->super;
}

int store_super_set(struct store *store, const struct store_roots *roots)
{
    int err = env_writable(store);

    if (err < 0)
        return err;
    store->super.roots = *roots;
    store->super.sequence++;
    store->super_copy ^= 1u;
    super_write(store->env.base, store->super_copy, &store->super);
    super_write(store->env.base, store->super_copy ^ 1u, &store->super);
    store->super.commit = super_seal(&store->super);
    return 0;
}

uint64_t *epoch_word(const struct store *store, uint32_t copy)
{
    uint8_t *frame = env_frame(store, copy);

    return (uint64_t *)(void *)(frame + STORE_EPOCH_OFFSET);
}

uint64_t *mono_word(const struct store *store, uint32_t copy, uint32_t which)
{
    uint8_t *frame = env_frame(store, (uint32_t)store->super.mono[copy]);

    return (uint64_t *)(void *)(frame + (size_t)which * STORE_MONO_STRIDE);
}

uint64_t store_mono_get(const struct store *store, uint32_t which)
{
    return which < STORE_MONO_COUNT ? __atomic_load_n(&store->mono[which], __ATOMIC_ACQUIRE) : 0;
}

/* Store a higher value in both copies of a counter. */
static void raise_counter(struct store *store, uint32_t which, uint64_t value)
{
    uint64_t word = word_seal(value, store->salt, STORE_LOC_MONO, which);

    persist_publish64(mono_word(store, 0, which), word); /* COMMIT: the counter */
    persist_commit64(mono_word(store, 1, which), word);  /* COMMIT: the mirror */
    /* Pairs with store_mono_get. */
    __atomic_store_n(&store->mono[which], value, __ATOMIC_RELEASE);
}

bool super_highest(const struct store *store, uint64_t *const copy[2], uint32_t loc, uint32_t index,
                   uint64_t *value)
{
    bool valid = false;

    *value = 0;
    for (uint32_t i = 0; i < 2; i++) {
        if (!word_is_valid(*copy[i], store->salt, loc, index))
            continue;
        valid = true;
        if (STORE_WORD_BODY(*copy[i]) > *value)
            *value = STORE_WORD_BODY(*copy[i]);
    }
    if (!valid)
        env_report_pool(store, copy[0], *copy[0], *copy[1], "monotonic counter: both copies");
    return valid;
}

int super_raise_writer(struct store *store)
{
    uint64_t *const copy[2] = { mono_word(store, 0, STORE_MONO_WRITER),
                                mono_word(store, 1, STORE_MONO_WRITER) };
    uint64_t generation;

    if (!super_highest(store, copy, STORE_LOC_MONO, STORE_MONO_WRITER, &generation))
        return -TWZ_EDAMAGED;
    if (generation >= STORE_MONO_MAX)
        return -TWZ_ERANGE;
    raise_counter(store, STORE_MONO_WRITER, generation + 1);
    return 0;
}

int store_mono_raise(struct store *store, uint32_t which, uint64_t value)
{
    int err = env_writable(store);

    if (err < 0)
        return err;
    if (which >= STORE_MONO_COUNT)
        return -TWZ_EINVAL;
    if (value > STORE_MONO_MAX)
        return -TWZ_ERANGE;
    if (value > store->mono[which])
        raise_counter(store, which, value);
    return 0;
}

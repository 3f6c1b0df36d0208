/* SPDX-License-Identifier: MIT */
/*
 * Owns the frames of DRAM: a binary buddy allocator, and a count of references on each allocated
 * block.
 *
 * Each frame has a 32-bit word, which counts for the first frame of a block only:
 *   WORD_FREE | order   the block is free and in free_blocks[order]
 *   n >= 1              the block is allocated and has n references, at most REFS_MAX
 *   0                   no block of the allocator begins here
 * A word inside a block is never read. So boot writes only the words of the first blocks, and
 * clears those of their buddies, because a merge reads them; a split writes the words of both
 * halves. The ranges of boot_info.ram are maximal, so the first blocks never merge.
 *
 * A free block is linked through its own first bytes, and leaves its list without naming it.
 *
 * A single frame comes from the stash of the calling core: a block of 2^STASH_ORDER frames that the
 * core took at once. The words of the stashed frames are 0, so no merge takes them.
 *
 * The reserve is a number of free frames that only some cores may take from: those that do the
 * kernel's own work or run the first program. Other programs that exhaust the memory therefore
 * leave the machine alive.
 *
 * Each allocated block has a payer, the account that it is charged to, or NULL. It belongs to the
 * block, so a block is never charged twice, and its last reference takes the charge back.
 *
 * The lock guards the blocks and is taken last. A stash belongs to its core. free_frames counts
 * stashed frames, too, and is atomic.
 */
#include <kernel/account.h>
#include <kernel/boot.h>
#include <kernel/lock.h>
#include <kernel/panic.h>
#include <kernel/phys.h>
#include <lib/string.h>

#define FRAME_SHIFT 12u
#define FRAME_SIZE  4096ull
#define WORD_FREE   0x80000000u
#define REFS_MAX    (1u << 16)
#define STASH_ORDER 4u
#define RESERVE_MIN 256u  /* frames */
#define RESERVE_MAX 4096u /* frames */

struct free_block {
    struct free_block *next;
    struct free_block **link; /* the pointer that points here */
};

static SHARED_LOCK struct spinlock lock;
static struct free_block *free_blocks[PHYS_MAX_ORDER + 1];
static uint32_t *words;
static struct account **payers; /* of the first frame of an allocated block */
static uint64_t frame_end;      /* frames [0, frame_end) have words and payers */
static _Atomic uint64_t free_frames;
static uint64_t total_frames;
static uint64_t reserve; /* frames */

/* The state of one core. */
struct stash {
    uint64_t next; /* frame */
    uint32_t left; /* frames */
    bool limited;  /* the core must leave the reserve alone */
} __attribute__((aligned(64)));

static struct stash stashes[MAX_CPUS];

static struct free_block *block_of(uint64_t frame)
{
    return arch_virt((phys_t){ frame << FRAME_SHIFT });
}

static uint64_t frame_of(const struct free_block *block)
{
    return arch_phys(block).addr >> FRAME_SHIFT;
}

static void push_block(uint64_t frame, unsigned order)
{
    struct free_block *block = block_of(frame);

    words[frame] = WORD_FREE | order;
    block->next = free_blocks[order];
    block->link = &free_blocks[order];
    if (block->next)
        block->next->link = &block->next;
    free_blocks[order] = block;
}

static void unlink_block(struct free_block *block)
{
    *block->link = block->next;
    if (block->next)
        block->next->link = block->link;
}

/* ---- boot ---- */

/* The order of the largest aligned block that begins at frame and has at most count frames. */
static unsigned max_order(uint64_t frame, uint64_t count)
{
    unsigned order = 0;

    while (order < PHYS_MAX_ORDER && !(frame >> order & 1) && 2ull << order <= count)
        order++;
    return order;
}

/* Calls fn for each of the maximal blocks of a range. */
static void for_each_block(const struct boot_range *r, void (*fn)(uint64_t frame, unsigned order))
{
    uint64_t frame = r->start.addr >> FRAME_SHIFT;
    uint64_t count = r->len >> FRAME_SHIFT;

    while (count) {
        unsigned order = max_order(frame, count);

        fn(frame, order);
        frame += 1ull << order;
        count -= 1ull << order;
    }
}

static void clear_buddy(uint64_t frame, unsigned order)
{
    uint64_t buddy = frame ^ 1ull << order;

    if (buddy < frame_end)
        words[buddy] = 0;
}

static void add_block(uint64_t frame, unsigned order)
{
    push_block(frame, order);
    atomic_fetch_add_explicit(&free_frames, 1ull << order, memory_order_relaxed);
}

/* Takes the memory of a table with one entry a frame off the end of the first range that is large
 * enough. */
static void *allocate_table(size_t entry)
{
    uint64_t bytes = (frame_end * entry + FRAME_SIZE - 1) & ~(FRAME_SIZE - 1);

    for (unsigned i = 0; i < boot_info.nram; i++) {
        struct boot_range *r = &boot_info.ram[i];

        if (r->len <= bytes)
            continue;
        r->len -= bytes;
        return arch_virt((phys_t){ r->start.addr + r->len });
    }
    panic("no range of memory is large enough for the tables of all frames");
}

void phys_init(void)
{
    for (unsigned i = 0; i < boot_info.nram; i++) {
        uint64_t end = (boot_info.ram[i].start.addr + boot_info.ram[i].len) >> FRAME_SHIFT;

        frame_end = end > frame_end ? end : frame_end;
        total_frames += boot_info.ram[i].len >> FRAME_SHIFT;
    }
    reserve = total_frames / 64;
    reserve = reserve < RESERVE_MIN ? RESERVE_MIN : reserve;
    reserve = reserve > RESERVE_MAX ? RESERVE_MAX : reserve;
    words = allocate_table(sizeof(*words));
    payers = allocate_table(sizeof(struct account *));
    for (unsigned i = 0; i < boot_info.nram; i++)
        for_each_block(&boot_info.ram[i], clear_buddy);
    for (unsigned i = 0; i < boot_info.nram; i++)
        for_each_block(&boot_info.ram[i], add_block);
}

/* ---- blocks ---- */

/* Splits the smallest block that is large enough. */
static phys_t alloc_block_locked(unsigned order)
{
    struct free_block *block = NULL;
    unsigned have = order;
    uint64_t frame;

    while (have <= PHYS_MAX_ORDER && !free_blocks[have])
        have++;
    if (have > PHYS_MAX_ORDER)
        return PHYS_NONE;
    block = free_blocks[have];
    unlink_block(block);
    frame = frame_of(block);
    while (have > order) {
        have--;
        push_block(frame + (1ull << have), have);
    }
    words[frame] = 1;
    return (phys_t){ frame << FRAME_SHIFT };
}

static void free_block_locked(uint64_t frame, unsigned order)
{
    atomic_fetch_add_explicit(&free_frames, 1ull << order, memory_order_relaxed);
    while (order < PHYS_MAX_ORDER) {
        uint64_t buddy = frame ^ 1ull << order;

        if (buddy >= frame_end || words[buddy] != (WORD_FREE | order))
            break;
        unlink_block(block_of(buddy));
        frame &= ~(1ull << order);
        order++;
    }
    push_block(frame, order);
}

static bool may_take(const struct stash *own, unsigned order)
{
    uint64_t least = (1ull << order) + (own->limited ? reserve : 0);

    return phys_free_frames() >= least;
}

static phys_t alloc_block(unsigned order)
{
    phys_t p;

    spin_lock(&lock);
    p = alloc_block_locked(order);
    spin_unlock(&lock);
    return p;
}

static void fill_stash(struct stash *own)
{
    phys_t block;

    spin_lock(&lock);
    block = alloc_block_locked(STASH_ORDER);
    if (!phys_is_none(block)) {
        own->next = block.addr >> FRAME_SHIFT;
        own->left = 1u << STASH_ORDER;
        memset(&words[own->next], 0, own->left * sizeof(*words));
    }
    spin_unlock(&lock);
}

static phys_t alloc_frame(struct stash *own)
{
    uint64_t frame;

    if (!own->left)
        fill_stash(own);
    if (!own->left)
        return alloc_block(0);
    own->left--;
    frame = own->next++;
    words[frame] = 1;
    return (phys_t){ frame << FRAME_SHIFT };
}

/* Inline, because a fault allocates a frame. */
static inline __attribute__((always_inline)) phys_t alloc_order(unsigned order,
                                                                struct account *payer)
{
    struct stash *own = &stashes[arch_cpu_id()];
    phys_t p = PHYS_NONE;

    if (!may_take(own, order))
        return p;
    p = order == 0 ? alloc_frame(own) : alloc_block(order);
    if (phys_is_none(p))
        return p;
    payers[p.addr >> FRAME_SHIFT] = payer;
    atomic_fetch_sub_explicit(&free_frames, 1ull << order, memory_order_relaxed);
    return p;
}

phys_t phys_alloc(unsigned order)
{
    return alloc_order(order, NULL);
}

void phys_limit(bool limited)
{
    stashes[arch_cpu_id()].limited = limited;
}

phys_t phys_alloc_zeroed(void)
{
    phys_t p = phys_alloc(0);

    if (!phys_is_none(p))
        arch_zero_frame(arch_virt(p));
    return p;
}

/* ---- payers ---- */

static inline __attribute__((always_inline)) int alloc_for(struct account *payer, unsigned order,
                                                           phys_t *out)
{
    int err = account_charge(payer, TWZ_ACCOUNT_DRAM, FRAME_SIZE << order);

    if (err < 0)
        return err;
    *out = alloc_order(order, payer);
    if (!phys_is_none(*out))
        return 0;
    account_uncharge(payer, TWZ_ACCOUNT_DRAM, FRAME_SIZE << order);
    return -TWZ_ENOMEM;
}

int phys_alloc_for(struct account *payer, unsigned order, phys_t *out)
{
    return alloc_for(payer, order, out);
}

int phys_alloc_zeroed_for(struct account *payer, phys_t *out)
{
    int err = alloc_for(payer, 0, out);

    if (err == 0)
        arch_zero_frame(arch_virt(*out));
    return err;
}

void phys_set_payer(phys_t frame, struct account *payer)
{
    struct account **at = &payers[frame.addr >> FRAME_SHIFT], *before = *at;

    if (before == payer || account_charge(payer, TWZ_ACCOUNT_DRAM, FRAME_SIZE) < 0)
        return;
    *at = payer;
    account_uncharge(before, TWZ_ACCOUNT_DRAM, FRAME_SIZE);
}

/* The number of the first frame of an allocated block; any other frame is a bug of the caller. */
static uint64_t allocated_frame(phys_t p)
{
    uint64_t frame = p.addr >> FRAME_SHIFT;

    kassert(!(p.addr & (FRAME_SIZE - 1)) && frame < frame_end);
    kassert(words[frame] && !(words[frame] & WORD_FREE));
    return frame;
}

void phys_free(phys_t p, unsigned order)
{
    struct account *payer;
    uint64_t frame;

    spin_lock(&lock);
    frame = allocated_frame(p);
    kassert(words[frame] == 1 && order <= PHYS_MAX_ORDER);
    payer = payers[frame];
    free_block_locked(frame, order);
    spin_unlock(&lock);
    account_uncharge(payer, TWZ_ACCOUNT_DRAM, FRAME_SIZE << order);
}

/* ---- references ---- */

bool phys_ref(phys_t p)
{
    uint64_t frame;
    bool fits;

    spin_lock(&lock);
    frame = allocated_frame(p);
    fits = words[frame] < REFS_MAX;
    if (fits)
        words[frame]++;
    spin_unlock(&lock);
    return fits;
}

void phys_unref(phys_t p)
{
    struct account *payer = NULL;
    uint64_t frame;

    spin_lock(&lock);
    frame = allocated_frame(p);
    if (words[frame] == 1) {
        payer = payers[frame];
        free_block_locked(frame, 0);
    } else {
        words[frame]--;
    }
    spin_unlock(&lock);
    account_uncharge(payer, TWZ_ACCOUNT_DRAM, FRAME_SIZE);
}

uint32_t phys_refs(phys_t p)
{
    uint32_t refs;

    spin_lock(&lock);
    refs = words[allocated_frame(p)];
    spin_unlock(&lock);
    return refs;
}

uint64_t phys_free_frames(void)
{
    return atomic_load_explicit(&free_frames, memory_order_relaxed);
}

uint64_t phys_total_frames(void)
{
    return total_frames;
}

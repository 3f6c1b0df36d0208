/* SPDX-License-Identifier: MIT */
/*
 * Owns the call frames of services.
 *
 * An account without a call in progress gets any free frame. An account with one gets another only
 * while more than `reserve` frames are free. So `reserve` accounts can always make a call each,
 * whatever the others do inside the service; an account that wants more than one frame competes for
 * the rest. An account has a share while it has a frame, so there are as many shares as frames.
 *
 * A frame has an owner, a generation as of a thread, from its first call on. The owner lives until
 * a call on the frame ends otherwise than by its return. So a lock that the callee held then is
 * found to be a dead owner's.
 *
 * Locks: call_frames->lock, owners_lock, each alone and last.
 */
#include <kernel/callframe.h>
#include <kernel/kmem.h>
#include <kernel/thread.h>
#include <twz/objid.h>

#define NONE    UINT32_MAX
#define BUCKETS 256u
#define BATCH   128u /* frames destroyed in one step */

struct call_frame {
    uint64_t generation; /* of its owner; 0: none lives */
    struct call_frame *table_next;
    uint32_t next;  /* free: the next free frame */
    uint32_t share; /* in use: the share that it counts in */
};

struct call_share {
    objid_t account;
    uint32_t used; /* frames */
    uint32_t next; /* in its chain, or of the free shares */
    uint32_t head; /* of the chain of the accounts whose hash is this index */
};

static SHARED_LOCK struct spinlock owners_lock; /* guards owners */
static struct call_frame *owners[BUCKETS];      /* by generation */

int callframes_init(struct call_frames *f)
{
    uint32_t count = f->count;

    f->frame = kmem_alloc(count * sizeof(*f->frame));
    f->share = kmem_alloc(count * sizeof(*f->share));
    if (!f->frame || !f->share) {
        kmem_free(f->frame, count * sizeof(*f->frame));
        kmem_free(f->share, count * sizeof(*f->share));
        return -TWZ_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        f->frame[i].next = i + 1 < count ? i + 1 : NONE;
        f->share[i].next = f->frame[i].next;
        f->share[i].head = NONE;
    }
    f->nfree = count;
    return 0;
}

/* --- owners ----------------------------------------------------------------------------------- */

static void end_owner(struct call_frame *frame)
{
    struct call_frame **at = &owners[frame->generation % BUCKETS];

    spin_lock(&owners_lock);
    while (*at != frame)
        at = &(*at)->table_next;
    *at = frame->table_next;
    spin_unlock(&owners_lock);
    frame->generation = 0;
}

uint64_t callframe_new_owner(struct call_frames *f, uint32_t index)
{
    struct call_frame *frame = &f->frame[index];
    struct call_frame **head;

    frame->generation = thread_new_generation();
    head = &owners[frame->generation % BUCKETS];
    spin_lock(&owners_lock);
    frame->table_next = *head;
    *head = frame;
    spin_unlock(&owners_lock);
    return frame->generation;
}

bool callframe_is_owner_alive(uint32_t generation)
{
    struct call_frame *frame;

    spin_lock(&owners_lock);
    frame = owners[generation % BUCKETS];
    while (frame && (uint32_t)frame->generation != generation)
        frame = frame->table_next;
    spin_unlock(&owners_lock);
    return frame != NULL;
}

bool callframes_end_some(struct call_frames *f)
{
    uint32_t count = f->count, end = f->ended + BATCH;

    for (; f->ended < count && f->ended < end; f->ended++)
        if (f->frame[f->ended].generation != 0)
            end_owner(&f->frame[f->ended]);
    if (f->ended < count)
        return true;
    kmem_free(f->frame, count * sizeof(*f->frame));
    kmem_free(f->share, count * sizeof(*f->share));
    return false;
}

/* --- shares ----------------------------------------------------------------------------------- */

/* Where the index of the account's share is or would be. */
static uint32_t *find_share_locked(struct call_frames *f, objid_t account)
{
    uint32_t *at = &f->share[(account.lo ^ account.hi) % f->count].head;

    while (*at != NONE && !objid_equal(f->share[*at].account, account))
        at = &f->share[*at].next;
    return at;
}

/* The share of a new frame of the account; -TWZ_EAGAIN. */
static int take_share_locked(struct call_frames *f, objid_t account, uint32_t *index)
{
    uint32_t *at = find_share_locked(f, account);

    if (f->nfree == 0 || (*at != NONE && f->nfree <= f->reserve))
        return -TWZ_EAGAIN;
    if (*at == NONE) {
        *at = f->first_share;
        f->first_share = f->share[*at].next;
        f->share[*at].next = NONE;
        f->share[*at].account = account;
    }
    f->share[*at].used++;
    *index = *at;
    return 0;
}

static void put_share_locked(struct call_frames *f, uint32_t index)
{
    uint32_t *at;

    if (--f->share[index].used > 0)
        return;
    at = find_share_locked(f, f->share[index].account);
    *at = f->share[index].next;
    f->share[index].next = f->first_share;
    f->first_share = index;
}

/* --- frames ----------------------------------------------------------------------------------- */

int callframe_take(struct call_frames *f, objid_t account, uint32_t *index, bool *fresh)
{
    uint32_t share;
    int err;

    spin_lock(&f->lock);
    err = take_share_locked(f, account, &share);
    if (err == 0) {
        *index = f->first_free;
        f->first_free = f->frame[*index].next;
        f->frame[*index].share = share;
        f->nfree--;
    }
    spin_unlock(&f->lock);
    *fresh = err == 0 && f->frame[*index].generation == 0;
    return err;
}

void callframe_put(struct call_frames *f, uint32_t index, bool broken)
{
    if (broken && f->frame[index].generation != 0)
        end_owner(&f->frame[index]);
    spin_lock(&f->lock);
    put_share_locked(f, f->frame[index].share);
    f->frame[index].next = f->first_free;
    f->first_free = index;
    f->nfree++;
    spin_unlock(&f->lock);
}

/* SPDX-License-Identifier: MIT */
/*
 * Owns the checks of signatures. A check takes some 670,000 instructions, so a thread does it in
 * steps, and returns to user mode between two of them, where it makes the same access again. The
 * state of the check is the thread's.
 *
 * A result is kept with all bytes that it depends on: statement, signature and key. It never
 * becomes wrong, since whether the statement counts now is decided anew each time. One set of
 * results is for all threads. Others may displace a result there, so the thread keeps its last ones
 * itself: a decision that needs several checks ends whatever others do.
 *
 * Lock order: results alone.
 */
#include "signed.h"

#include <kernel/kmem.h>
#include <kernel/page.h>
#include <kernel/threadobj.h>
#include <lib/string.h>
#include <verify/signature.h>
#include <verify/statement.h>

#define RESULT_SETS  64u
#define RESULT_WAYS  4u
#define RESULTS_KEPT 32u /* results of one thread */

struct result {
    uint8_t key[SEC_KEY];
    uint32_t len; /* of the statement; 0: the entry is free */
    bool valid;
    uint8_t statement[SEC_SIGNED_MAX + SEC_SIGNATURE];
};

struct sec_scratch {
    struct signature check;
    struct result at;   /* being checked, if len is not 0 */
    unsigned next_kept; /* the eldest of kept */
    struct result kept[RESULTS_KEPT];
    struct sec_bucket bucket;
};

static SHARED_LOCK struct spinlock results_lock;
static struct result results[RESULT_SETS][RESULT_WAYS];
static unsigned next_way[RESULT_SETS];

struct sec_scratch *scratch_get(void)
{
    struct thread *t = current();

    if (!t->scratch) {
        t->scratch = kmem_alloc(sizeof(struct sec_scratch));
        t->scratch_size = sizeof(struct sec_scratch);
    }
    return t->scratch;
}

struct sec_bucket *scratch_bucket(struct sec_scratch *scratch)
{
    return &scratch->bucket;
}

static unsigned set_of(const struct result *r)
{
    return r->statement[r->len] % RESULT_SETS; /* the first byte of the signature */
}

static bool is_same(const struct result *a, const struct result *b)
{
    return a->len == b->len && memcmp(a->key, b->key, SEC_KEY) == 0 &&
           memcmp(a->statement, b->statement, a->len + SEC_SIGNATURE) == 0;
}

static int find_in(const struct result *list, unsigned count, const struct result *wanted)
{
    for (unsigned i = 0; i < count; i++)
        if (is_same(&list[i], wanted))
            return list[i].valid;
    return -TWZ_EAGAIN;
}

static int find_result(const struct sec_scratch *scratch, const struct result *wanted)
{
    int ret = find_in(scratch->kept, RESULTS_KEPT, wanted);

    if (ret >= 0)
        return ret;
    spin_lock(&results_lock);
    ret = find_in(results[set_of(wanted)], RESULT_WAYS, wanted);
    spin_unlock(&results_lock);
    return ret;
}

static void keep_result(struct sec_scratch *scratch)
{
    unsigned set = set_of(&scratch->at);

    scratch->kept[scratch->next_kept++ % RESULTS_KEPT] = scratch->at;
    spin_lock(&results_lock);
    results[set][next_way[set]++ % RESULT_WAYS] = scratch->at;
    spin_unlock(&results_lock);
    scratch->at.len = 0;
}

bool signed_step(void)
{
    struct sec_scratch *scratch = current()->scratch;
    int ret;

    if (!scratch || scratch->at.len == 0)
        return false;
    ret = signature_step(&scratch->check);
    if (ret == 1)
        return true;
    scratch->at.valid = ret == 0;
    keep_result(scratch);
    return true;
}

int signed_check(struct sec_scratch *scratch, const uint8_t key[SEC_KEY], const void *statement,
                 size_t len)
{
    struct result *at = &scratch->at;
    int ret;

    memcpy(at->key, key, SEC_KEY);
    memcpy(at->statement, statement, len + SEC_SIGNATURE);
    at->len = (uint32_t)len;
    ret = find_result(scratch, at);
    if (ret >= 0)
        at->len = 0;
    else
        signature_begin(&scratch->check, at->statement + len, at->key, at->statement, len);
    return ret;
}

int signed_key(objid_t id, struct object **ku, struct sec_ku *keys)
{
    int err = obj_get(id, ku);

    if (err < 0)
        return err;
    err = obj_read(*ku, TWZ_OBJ_BASE, keys, sizeof(*keys));
    if (err == 0 && ((*ku)->flags & TWZ_OBJ_SEALED) != 0 && objid_is_none((*ku)->kuid) &&
        ku_check(keys) == SEC_REASON_NONE)
        return 0;
    obj_put(*ku);
    return -TWZ_ETYPE;
}

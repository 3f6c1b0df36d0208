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

/* A statement with its signature, and the key. */
struct signed_bytes {
    const uint8_t *key;
    const uint8_t *statement; /* `len` bytes, then the signature */
    size_t len;
};

static uint64_t load64(const uint8_t *from)
{
    uint64_t ret;

    memcpy(&ret, from, sizeof(ret));
    return ret;
}

/* `len` must be a multiple of 8. */
static bool are_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    uint64_t differ = 0;

    for (size_t i = 0; i < len; i += sizeof(differ))
        differ |= load64(a + i) ^ load64(b + i);
    return differ == 0;
}

/* The signature comes first: its beginning differs in two statements. */
static bool is_same(const struct result *r, const struct signed_bytes *s)
{
    return r->len == s->len && load64(r->statement + r->len) == load64(s->statement + s->len) &&
           are_equal(r->key, s->key, SEC_KEY) &&
           are_equal(r->statement, s->statement, s->len + SEC_SIGNATURE);
}

static int find_in(const struct result *list, unsigned count, const struct signed_bytes *wanted)
{
    for (unsigned i = 0; i < count; i++)
        if (is_same(&list[i], wanted))
            return list[i].valid;
    return -TWZ_EAGAIN;
}

static unsigned set_of(const uint8_t *signature)
{
    return signature[0] % RESULT_SETS;
}

static int find_result(const struct sec_scratch *scratch, const struct signed_bytes *wanted)
{
    int ret = find_in(scratch->kept, RESULTS_KEPT, wanted);

    if (ret >= 0)
        return ret;
    spin_lock(&results_lock);
    ret = find_in(results[set_of(wanted->statement + wanted->len)], RESULT_WAYS, wanted);
    spin_unlock(&results_lock);
    return ret;
}

static void keep_result(struct sec_scratch *scratch)
{
    unsigned set = set_of(scratch->at.statement + scratch->at.len);

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
    const struct signed_bytes wanted = { .key = key, .statement = statement, .len = len };
    struct result *at = &scratch->at;
    int ret = find_result(scratch, &wanted);

    if (ret >= 0)
        return ret;
    memcpy(at->key, key, SEC_KEY);
    memcpy(at->statement, statement, len + SEC_SIGNATURE);
    at->len = (uint32_t)len;
    signature_begin(&scratch->check, at->statement + len, at->key, at->statement, len);
    return -TWZ_EAGAIN;
}

/* The keys of a sealed object. Its first page is verified in steps, as a signature is. */
static int read_keys(struct object *ku, struct sec_ku *keys)
{
    int err = sealed_check(ku, TWZ_OBJ_BASE >> TWZ_PAGE_SHIFT);

    if (err == 1)
        return -TWZ_EAGAIN;
    return err < 0 ? err : obj_read(ku, TWZ_OBJ_BASE, keys, sizeof(*keys));
}

int signed_key(objid_t id, struct object **ku, struct sec_ku *keys)
{
    int err = obj_get(id, ku);

    if (err < 0)
        return err;
    err = -TWZ_ETYPE;
    if (((*ku)->flags & TWZ_OBJ_SEALED) != 0 && objid_is_none((*ku)->kuid))
        err = read_keys(*ku, keys);
    if (err == 0 && ku_check(keys) != SEC_REASON_NONE)
        err = -TWZ_ETYPE;
    if (err < 0)
        obj_put(*ku);
    return err;
}

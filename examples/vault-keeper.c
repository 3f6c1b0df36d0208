/* SPDX-License-Identifier: MIT */
/*
 * The data of the password vault, and the gates that lead to them. They belong to the process that
 * has called vault_start.
 *
 * An entry is complete and durable before its word `age` is stored, which makes it part of the
 * vault; a second entry of the name is free again afterwards. A caller may be killed at any
 * instruction, and the power may fail. The next owner of the lock, or the next boot, then finds at
 * most one name twice, and keeps the younger entry.
 *
 * A gated function has no C library, so this uses libtwz alone.
 */
#include "vault.h"
#include <twz/faults.h>
#include <twz/mutex.h>
#include <twz/typed.h>

#define ENTRIES 128u

struct entry {
    uint64_t age; /* 0: free; the youngest entry of a name counts */
    struct vault_message message;
};

struct vault {
    struct twz_mutex lock;
    uint64_t pad[7];
    struct entry entry[ENTRIES];
};

static struct vault *vault;

/* --- the data, under the lock ----------------------------------------------------------------- */

static bool is_same_name(const char *a, const char *b)
{
    for (uint32_t i = 0; i < VAULT_NAME; i++) {
        if (a[i] != b[i])
            return false;
        if (!a[i])
            return true;
    }
    return true;
}

/* The youngest entry of that name, or NULL. *other: an older one, or NULL. */
static struct entry *find(const char *name, struct entry **other)
{
    struct entry *youngest = NULL;

    *other = NULL;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        struct entry *e = &vault->entry[i];

        if (e->age == 0 || !is_same_name(e->message.name, name))
            continue;
        if (youngest)
            *other = e->age > youngest->age ? youngest : e;
        if (!youngest || e->age > youngest->age)
            youngest = e;
    }
    return youngest;
}

static struct entry *find_free(void)
{
    for (uint32_t i = 0; i < ENTRIES; i++)
        if (vault->entry[i].age == 0)
            return &vault->entry[i];
    return NULL;
}

/* Takes an entry out of the vault, then wipes its secret. */
static void forget(struct entry *e)
{
    twz_persist_commit64(&e->age, 0); /* COMMIT: the entry is free */
    twz_persist_zero(&e->message, sizeof(e->message));
    twz_persist(&e->message, sizeof(e->message));
}

/* After the end of a boot or of the lock's owner: no name twice, no secret in a free entry. */
static void repair(void)
{
    struct entry *older;

    for (uint32_t i = 0; i < ENTRIES; i++) {
        struct entry *e = &vault->entry[i];

        if (e->age == 0)
            forget(e);
        else if (find(e->message.name, &older) && older)
            forget(older);
    }
}

static void lock_vault(void)
{
    if (twz_mutex_lock(&vault->lock) == TWZ_MUTEX_DIED)
        repair();
}

static uint64_t next_age(void)
{
    uint64_t age = 1;

    for (uint32_t i = 0; i < ENTRIES; i++)
        if (vault->entry[i].age >= age)
            age = vault->entry[i].age + 1;
    return age;
}

static int put_locked(const struct vault_message *m)
{
    struct entry *older, *before = find(m->name, &older);
    struct entry *e = find_free();

    if (!e)
        return -TWZ_EFULL;
    twz_persist_copy(&e->message, m, sizeof(*m));
    twz_persist(&e->message, sizeof(e->message));
    twz_persist_commit64(&e->age, next_age()); /* COMMIT: the entry counts */
    if (before)
        forget(before);
    return 0;
}

/* --- messages --------------------------------------------------------------------------------- */

struct transfer {
    objid_t id;
    struct vault_message *message;
};

/* The object is the caller's: any touch of it may fault. */
static void copy_in(void *arg)
{
    struct transfer *t = arg;
    const struct vault_message *theirs = twz_gate_window(t->id, TWZ_READ);

    __builtin_memcpy(t->message, theirs, sizeof(*theirs));
}

static void copy_secret_out(void *arg)
{
    struct transfer *t = arg;
    struct vault_message *theirs = twz_gate_window(t->id, TWZ_READ | TWZ_WRITE);

    __builtin_memcpy(theirs->secret, t->message->secret, sizeof(theirs->secret));
}

static int transfer(void (*copy)(void *arg), uint64_t lo, uint64_t hi, struct vault_message *m)
{
    struct transfer t = { .id = { lo, hi }, .message = m };
    struct twz_fault fault;
    int faulted = twz_try(copy, &t, &fault);

    twz_gate_window(t.id, 0);
    return faulted ? -TWZ_EFAULT : 0;
}

/* Reads a message once, then checks the copy. */
static int take_message(uint64_t lo, uint64_t hi, struct vault_message *m)
{
    int err = transfer(copy_in, lo, hi, m);

    m->name[VAULT_NAME - 1] = 0;
    m->secret[VAULT_SECRET - 1] = 0;
    return err == 0 && !m->name[0] ? -TWZ_EINVAL : err;
}

/* Secrets do not stay on the stack of a call frame. */
static void wipe(struct vault_message *m)
{
    *m = (struct vault_message){ .name = "" };
    __asm__ volatile("" : : "r"(m) : "memory");
}

/* --- the gates -------------------------------------------------------------------------------- */

int64_t vault_put_gate(uint64_t lo, uint64_t hi)
{
    struct vault_message m;
    int err = take_message(lo, hi, &m);

    if (err == 0) {
        lock_vault();
        err = put_locked(&m);
        twz_mutex_unlock(&vault->lock);
    }
    wipe(&m);
    return err;
}

int64_t vault_get_gate(uint64_t lo, uint64_t hi)
{
    struct entry *e, *older;
    struct vault_message m;
    int err = take_message(lo, hi, &m);

    if (err < 0)
        return err;
    lock_vault();
    e = find(m.name, &older);
    if (e)
        m = e->message;
    twz_mutex_unlock(&vault->lock);
    err = e ? transfer(copy_secret_out, lo, hi, &m) : -TWZ_ENONAME;
    wipe(&m);
    return err;
}

int64_t vault_remove_gate(uint64_t lo, uint64_t hi)
{
    struct entry *e, *older;
    struct vault_message m;
    int err = take_message(lo, hi, &m);

    if (err < 0)
        return err;
    lock_vault();
    e = find(m.name, &older);
    if (e)
        forget(e);
    twz_mutex_unlock(&vault->lock);
    wipe(&m);
    return e ? 0 : -TWZ_ENONAME;
}

int64_t vault_count_gate(void)
{
    int64_t count = 0;

    lock_vault();
    for (uint32_t i = 0; i < ENTRIES; i++)
        count += vault->entry[i].age != 0;
    twz_mutex_unlock(&vault->lock);
    return count;
}

/* 1: no name twice, and nothing in a free entry. */
int64_t vault_check_gate(void)
{
    bool sound = true;
    struct entry *older;

    lock_vault();
    for (uint32_t i = 0; i < ENTRIES; i++) {
        const struct entry *e = &vault->entry[i];

        for (uint32_t k = 0; e->age == 0 && k < VAULT_NAME; k++)
            sound &= e->message.name[k] == 0;
        for (uint32_t k = 0; e->age == 0 && k < VAULT_SECRET; k++)
            sound &= e->message.secret[k] == 0;
        if (e->age != 0)
            sound &= find(e->message.name, &older) == e && !older;
    }
    twz_mutex_unlock(&vault->lock);
    return sound;
}

int vault_start(void)
{
    static const twz_gate_fn gates[] = {
        TWZ_GATE_ENTRY(vault_put),   TWZ_GATE_ENTRY(vault_get),   TWZ_GATE_ENTRY(vault_remove),
        TWZ_GATE_ENTRY(vault_count), TWZ_GATE_ENTRY(vault_check),
    };
    struct twz_service_spec spec = { .gates = gates, .ngates = 5, .name = VAULT_SERVICE };
    const struct vault *v = twz_open(VAULT_DATA, struct vault, TWZ_CREATE);
    objid_t id;

    if (!v)
        return twz_error_last();
    vault = (struct vault *)(uintptr_t)v;
    lock_vault();
    repair();
    twz_mutex_unlock(&vault->lock);
    return twz_service_start(&spec, &id);
}

/* SPDX-License-Identifier: MIT */
/*
 * Rights: for each use of an object by a call, exactly the rights that syscall.def names. With
 * these and no other the use succeeds (or ends with the error of an object that is idle or of
 * another kind, which is found later); without one of them, and with all others, it is denied.
 */
#include <twz/sec.h>

#include "user.h"

#define SLOT_WORD (SLOT_TEST + 40)

enum use {
    SOURCE_OF_CREATE,
    WITNESS,
    PARENT_OF_CREATE,
    ACCOUNT_OF_CREATE,
    DELETE,
    COPY_FROM,
    COPY_TO,
    RANGE_DISCARD,
    RANGE_HOLE,
    RANGE_PROTECT,
    RANGE_POPULATE,
    RANGE_PERSIST,
    SEAL,
    PIN,
    TIE_CHILD,
    TIE_PARENT,
    CTL_PERMANENT,
    CTL_MODE,
    CTL_PERSIST,
    CTL_PERMS,
    CTL_LIMIT,
    INVALIDATE,
    ATTACH_PARENT,
    ATTACH_CHILD,
    DETACH_PARENT,
    ATTACH_SERVICE,
    DETACH_SERVICE,
    GATE,
    DEVICE,
    SPAWN_THREAD,
    SPAWN_VIEW,
    SPAWN_ACCOUNT,
    BECOME,
    SIGNAL,
    PRIORITY,
    CORES,
    GRANT_TO,
    GRANT_OF,
    CHANGE,
};

struct row {
    uint8_t call; /* number */
    uint8_t use;
    uint8_t kind;
    uint8_t flags;
    uint32_t need;
    int32_t allowed; /* the result with these rights */
};

#define PERSISTENT TWZ_OBJ_PERSIST
#define DATA       TWZ_KIND_DATA
#define VIEW       TWZ_KIND_VIEW
#define THREAD     TWZ_KIND_THREAD
#define DIR        TWZ_KIND_DIR
#define SCTX       TWZ_KIND_SCTX
#define SERVICE    TWZ_KIND_SERVICE
static const struct row rows[] = {
    { TWZ_SYS_obj_create - TWZ_SYSCALL_BASE, SOURCE_OF_CREATE, DATA, 0, TWZ_READ, 0 },
    { TWZ_SYS_obj_create - TWZ_SYSCALL_BASE, WITNESS, DATA, PERSISTENT, TWZ_READ, 0 },
    { TWZ_SYS_obj_create - TWZ_SYSCALL_BASE, PARENT_OF_CREATE, DATA, 0, TWZ_WRITE, 0 },
    { TWZ_SYS_obj_create - TWZ_SYSCALL_BASE, ACCOUNT_OF_CREATE, TWZ_KIND_ACCOUNT, 0, TWZ_USE, 0 },
    { TWZ_SYS_obj_delete - TWZ_SYSCALL_BASE, DELETE, DATA, 0, TWZ_DEL, 0 },
    { TWZ_SYS_obj_copy - TWZ_SYSCALL_BASE, COPY_FROM, DATA, 0, TWZ_READ, 0 },
    { TWZ_SYS_obj_copy - TWZ_SYSCALL_BASE, COPY_TO, DATA, 0, TWZ_WRITE, 0 },
    { TWZ_SYS_obj_range - TWZ_SYSCALL_BASE, RANGE_DISCARD, DATA, 0, TWZ_WRITE, 0 },
    { TWZ_SYS_obj_range - TWZ_SYSCALL_BASE, RANGE_HOLE, DATA, 0, TWZ_WRITE | TWZ_DEL, 0 },
    { TWZ_SYS_obj_range - TWZ_SYSCALL_BASE, RANGE_PROTECT, DATA, 0, TWZ_WRITE | TWZ_DEL, 0 },
    { TWZ_SYS_obj_range - TWZ_SYSCALL_BASE, RANGE_POPULATE, DATA, 0, TWZ_WRITE, 0 },
    { TWZ_SYS_obj_range - TWZ_SYSCALL_BASE, RANGE_PERSIST, DATA, PERSISTENT, TWZ_READ, 0 },
    { TWZ_SYS_obj_seal - TWZ_SYSCALL_BASE, SEAL, DATA, 0, TWZ_READ, 0 },
    { TWZ_SYS_obj_pin - TWZ_SYSCALL_BASE, PIN, DATA, 0, TWZ_USE, 0 },
    { TWZ_SYS_obj_tie - TWZ_SYSCALL_BASE, TIE_CHILD, DATA, 0, TWZ_DEL, 0 },
    { TWZ_SYS_obj_tie - TWZ_SYSCALL_BASE, TIE_PARENT, DATA, 0, TWZ_WRITE, 0 },
    { TWZ_SYS_obj_ctl - TWZ_SYSCALL_BASE, CTL_PERMANENT, DATA, PERSISTENT, TWZ_WRITE, 0 },
    { TWZ_SYS_obj_ctl - TWZ_SYSCALL_BASE, CTL_MODE, DATA, PERSISTENT, TWZ_WRITE, 0 },
    { TWZ_SYS_obj_ctl - TWZ_SYSCALL_BASE, CTL_PERSIST, DATA, 0, TWZ_WRITE | TWZ_DEL, 0 },
    { TWZ_SYS_obj_ctl - TWZ_SYSCALL_BASE, CTL_PERMS, DATA, 0, TWZ_WRITE | TWZ_DEL, 0 },
    { TWZ_SYS_obj_ctl - TWZ_SYSCALL_BASE, CTL_LIMIT, TWZ_KIND_ACCOUNT, 0, TWZ_WRITE, 0 },
    { TWZ_SYS_kso_invalidate - TWZ_SYSCALL_BASE, INVALIDATE, VIEW, 0, TWZ_USE, 0 },
    { TWZ_SYS_kso_attach - TWZ_SYSCALL_BASE, ATTACH_PARENT, DIR, 0, TWZ_USE, 0 },
    { TWZ_SYS_kso_attach - TWZ_SYSCALL_BASE, ATTACH_CHILD, DATA, 0, TWZ_USE, 0 },
    { TWZ_SYS_kso_detach - TWZ_SYSCALL_BASE, DETACH_PARENT, DIR, 0, TWZ_USE, -TWZ_ENOOBJ },
    { TWZ_SYS_kso_attach - TWZ_SYSCALL_BASE, ATTACH_SERVICE, SERVICE, 0, TWZ_USE, -TWZ_EINVAL },
    { TWZ_SYS_kso_detach - TWZ_SYSCALL_BASE, DETACH_SERVICE, SERVICE, 0, TWZ_USE, -TWZ_ENOOBJ },
    { TWZ_SYS_gate_call - TWZ_SYSCALL_BASE, GATE, SERVICE, 0, TWZ_EXEC, -TWZ_ENOOBJ },
    { TWZ_SYS_dev_ctl - TWZ_SYSCALL_BASE, DEVICE, DATA, 0, TWZ_USE, -TWZ_ETYPE },
    { TWZ_SYS_thread_spawn - TWZ_SYSCALL_BASE, SPAWN_THREAD, THREAD, 0, TWZ_USE | TWZ_WRITE, 0 },
    { TWZ_SYS_thread_spawn - TWZ_SYSCALL_BASE, SPAWN_VIEW, VIEW, 0, TWZ_USE, 0 },
    { TWZ_SYS_thread_spawn - TWZ_SYSCALL_BASE, SPAWN_ACCOUNT, TWZ_KIND_ACCOUNT, 0, TWZ_USE, 0 },
    { TWZ_SYS_thread_become - TWZ_SYSCALL_BASE, BECOME, DATA, 0, TWZ_USE, -TWZ_ETYPE },
    { TWZ_SYS_thread_signal - TWZ_SYSCALL_BASE, SIGNAL, THREAD, 0, TWZ_USE, -TWZ_ENOOBJ },
    { TWZ_SYS_thread_ctl - TWZ_SYSCALL_BASE, PRIORITY, THREAD, 0, TWZ_USE, -TWZ_ENOOBJ },
    { TWZ_SYS_thread_ctl - TWZ_SYSCALL_BASE, CORES, THREAD, 0, TWZ_USE, -TWZ_ENOOBJ },
    { TWZ_SYS_sec_grant - TWZ_SYSCALL_BASE, GRANT_TO, SCTX, 0, TWZ_USE, 0 },
    { TWZ_SYS_sec_grant - TWZ_SYSCALL_BASE, GRANT_OF, DATA, 0, TWZ_READ | TWZ_USE, 0 },
    { TWZ_SYS_sec_change - TWZ_SYSCALL_BASE, CHANGE, SCTX, 0, TWZ_USE, 0 },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* --- the uses --------------------------------------------------------------------------------- */

static objid_t own(uint32_t flags, uint32_t kind)
{
    return user_object(flags, TWZ_PERMS, kind);
}

static long create_with(enum use use, objid_t id)
{
    struct twz_copy c = {
        .src = id, .src_off = TWZ_PAGE_SIZE, .dst_off = TWZ_PAGE_SIZE, .len = TWZ_PAGE_SIZE
    };
    struct twz_create spec = { .perms = TWZ_PERMS };
    objid_t made;

    switch (use) {
    case WITNESS:
        spec.flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL;
        spec.witness = id;
        spec.witness_off = TWZ_OBJ_BASE;
        break;
    case PARENT_OF_CREATE: spec.tie = id; break;
    case ACCOUNT_OF_CREATE: spec.account = id; break;
    default:
        spec.source_size = sizeof(c);
        spec.sources = (uint64_t)(uintptr_t)&c;
        spec.nsources = 1;
        break;
    }
    return user_create(&spec, &made);
}

static long copy_between(objid_t from, objid_t to)
{
    struct twz_copy c = { .src = from,
                          .dst = to,
                          .src_off = TWZ_PAGE_SIZE,
                          .dst_off = TWZ_PAGE_SIZE,
                          .len = TWZ_PAGE_SIZE };

    return CALL(obj_copy, SIZED(&c), 1);
}

static long control(enum use use, objid_t id)
{
    switch (use) {
    case CTL_PERMANENT: return CALL(obj_ctl, IDARG(id), TWZ_CTL_PERMANENT, 0);
    case CTL_MODE: return CALL(obj_ctl, IDARG(id), TWZ_CTL_MODE, TWZ_PERSIST_RELEASE);
    case CTL_PERSIST: return CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, 1);
    case CTL_LIMIT: return CALL(obj_ctl, IDARG(id), TWZ_CTL_LIMIT, 0);
    default: return CALL(obj_ctl, IDARG(id), TWZ_CTL_PERMS, 0);
    }
}

static long use_range(enum use use, objid_t id)
{
    static const uint8_t ops[] = { TWZ_RANGE_DISCARD, TWZ_RANGE_HOLE, TWZ_RANGE_PROTECT,
                                   TWZ_RANGE_POPULATE, TWZ_RANGE_PERSIST };

    return user_range(id, ops[use - RANGE_DISCARD], 1, 1);
}

/* The view is empty, so the thread of the allowed twin ends by a fault at once. */
static long spawn(objid_t thread, objid_t view, objid_t account)
{
    struct twz_spawn spawn = {
        .thread = thread, .view = view, .entry = TWZ_OBJ_SIZE + 4096, .account = account
    };

    return CALL(thread_spawn, &spawn, sizeof(spawn));
}

static long become(objid_t view)
{
    struct twz_become next = { .view = view };

    return CALL(thread_become, &next, sizeof(next));
}

static long tie(objid_t child, objid_t parent)
{
    return CALL(obj_tie, IDARG(child), IDARG(parent), 1);
}

static long attach(objid_t parent, objid_t child)
{
    return CALL(kso_attach, IDARG(parent), IDARG(child), 0);
}

static long grant(objid_t context, objid_t object)
{
    return CALL(sec_grant, IDARG(context), IDARG(object), TWZ_READ | TWZ_USE, 0);
}

static long detach(objid_t parent, objid_t child)
{
    return CALL(kso_detach, IDARG(parent), IDARG(child), ~0ull);
}

static long use_object(enum use use, objid_t id)
{
    switch (use) {
    case DELETE: return CALL(obj_delete, IDARG(id), 0);
    case COPY_FROM: return copy_between(id, own(0, DATA));
    case COPY_TO: return copy_between(own(0, DATA), id);
    case SEAL: return CALL(obj_seal, IDARG(id), &SHARED->word[0]);
    case PIN: return CALL(obj_pin, IDARG(id), 1);
    case TIE_CHILD: return tie(id, own(0, DATA));
    case TIE_PARENT: return tie(own(0, DATA), id);
    case INVALIDATE: return CALL(kso_invalidate, IDARG(id), 0, 1);
    case ATTACH_PARENT: return attach(id, own(0, DATA));
    case ATTACH_CHILD: return attach(own(0, DIR), id);
    case DETACH_PARENT: return detach(id, (objid_t){ 3, 3 });
    case ATTACH_SERVICE: return attach(own(0, DIR), id);
    case DETACH_SERVICE: return detach(own(0, DIR), id);
    case GATE: return CALL(gate_call, IDARG(id), 0, 0, 0, 0);
    case DEVICE: return CALL(dev_ctl, IDARG(id), 0, 0);
    case SPAWN_THREAD: return spawn(id, own(0, VIEW), TWZ_OBJID_NONE);
    case SPAWN_VIEW: return spawn(own(0, THREAD), id, TWZ_OBJID_NONE);
    case SPAWN_ACCOUNT: return spawn(own(0, THREAD), own(0, VIEW), id);
    case BECOME: return become(id);
    case SIGNAL: return CALL(thread_signal, IDARG(id), 10, 0);
    case PRIORITY: return CALL(thread_ctl, IDARG(id), TWZ_THREAD_PRIORITY, 5);
    case CORES: return CALL(thread_ctl, IDARG(id), TWZ_THREAD_CORES, 1);
    case GRANT_TO: return grant(id, own(0, DATA));
    case GRANT_OF: return grant(own(0, SCTX), id);
    case CHANGE: return CALL(sec_change, IDARG(id), TWZ_SEC_TAKE, 0, 0, TWZ_EXEC);
    default: break;
    }
    if (use >= RANGE_DISCARD && use <= RANGE_PERSIST)
        return use_range(use, id);
    if (use >= CTL_PERMANENT && use <= CTL_LIMIT)
        return control(use, id);
    return create_with(use, id);
}

/* --- the tests -------------------------------------------------------------------------------- */

static objid_t object_of(const struct row *row, uint32_t perms)
{
    objid_t holder = own(TWZ_OBJ_PERSIST, DATA);
    struct twz_create spec = {
        .flags = row->flags, .perms = perms, .kind = row->kind, .witness = holder
    };
    objid_t id = TWZ_OBJID_NONE;

    if (row->use == CTL_PERMANENT) {
        spec.flags |= TWZ_OBJ_PROVISIONAL;
        spec.witness_off = TWZ_OBJ_BASE;
    }
    CHECK_IS(user_create(&spec, &id), 0);
    return id;
}

static void check_row(const struct row *row, uint32_t perms, long wanted)
{
    long got = use_object(row->use, object_of(row, perms));

    CHECK(got == wanted);
    if (got != wanted) {
        user_log_value("  use   ", row->use);
        user_log_value("  rights", perms);
        user_log_value("  got   ", (uint64_t)got);
    }
}

static void test_each_use_needs_its_rights(void)
{
    unsigned i, bit;

    for (i = 0; i < ROWS; i++) {
        check_row(&rows[i], rows[i].need, rows[i].allowed);
        check_row(&rows[i], TWZ_PERMS, rows[i].allowed);
        for (bit = 1; bit <= TWZ_PERMS; bit <<= 1)
            if ((rows[i].need & bit) != 0)
                check_row(&rows[i], TWZ_PERMS & ~bit, -TWZ_EDENIED);
        check_row(&rows[i], 0, -TWZ_EDENIED);
    }
}

/* obj_stat needs any one right, and the caller's rights are those of the object. */
static void test_stat_needs_one_right(void)
{
    struct twz_stat stat;
    uint32_t perms;

    for (perms = 0; perms <= TWZ_PERMS; perms++) {
        objid_t id = user_object(0, perms, DATA);

        CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&stat)), perms != 0 ? 0 : -TWZ_EDENIED);
        CHECK(perms == 0 || (stat.perms == perms && stat.rights == perms));
    }
}

/* Each pair of old and new permissions: only bits that are there may stay. */
static void test_permissions_only_shrink(void)
{
    const uint32_t keep = TWZ_WRITE | TWZ_DEL;
    struct twz_stat stat;
    uint32_t was, next;

    for (was = 0; was <= TWZ_PERMS; was++) {
        if ((was & keep) != keep)
            continue;
        for (next = 0; next <= TWZ_PERMS; next++) {
            objid_t id = user_object(0, was, DATA);

            CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERMS, next),
                     (next & ~was) == 0 ? 0 : -TWZ_EDENIED);
            if (next != 0 && (next & ~was) == 0) {
                CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&stat)), 0);
                CHECK_IS(stat.perms, next);
            }
        }
    }
}

/* The address holds a return instruction. */
static bool jump_faults(uint64_t at)
{
    uint64_t before = SHARED->faults;

    user_jump_faults(at);
    return SHARED->faults != before;
}

static void check_accesses(uint32_t entry, uint32_t perms)
{
    uint64_t at = TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_BASE;
    bool wx = (entry & TWZ_WRITE) != 0 && (entry & TWZ_EXEC) != 0;
    uint32_t have = wx || (entry & perms & TWZ_READ) == 0 ? 0 : entry & perms;

    CHECK_IS(user_load_faults(at), have == 0);
    CHECK_IS(user_store_faults(at + 8), (have & TWZ_WRITE) == 0);
    CHECK_IS(jump_faults(at), (have & TWZ_EXEC) == 0);
}

/* An access through a slot needs its right in the entry and in the object. */
static void test_slot_needs_both_rights(void)
{
    uint32_t perms, entry;

    for (perms = 0; perms <= (TWZ_READ | TWZ_WRITE | TWZ_EXEC); perms++) {
        objid_t id = own(0, DATA);

        user_map(SLOT_TEST, id, TWZ_READ | TWZ_WRITE);
        *BASE(SLOT_TEST) = 0xc3;
        user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
        CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERMS, perms | TWZ_DEL), 0);
        for (entry = 0; entry <= (TWZ_READ | TWZ_WRITE | TWZ_EXEC); entry++) {
            user_map(SLOT_TEST, id, entry);
            check_accesses(entry, perms);
        }
        user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    }
}

/* Calls read an address with READ, and write one with WRITE, of the mapping. */
static void test_pointers_need_the_rights_of_their_mapping(void)
{
    static const uint32_t entries[] = { TWZ_READ, TWZ_READ | TWZ_WRITE };
    objid_t id = own(0, DATA);
    uint64_t at = TWZ_SLOT_ADDR(SLOT_WORD) + TWZ_OBJ_BASE;
    unsigned i;

    user_map(SLOT_WORD, id, TWZ_READ | TWZ_WRITE);
    *BASE(SLOT_WORD) = '\n';
    for (i = 0; i < 2; i++) {
        bool write = (entries[i] & TWZ_WRITE) != 0;

        user_map(SLOT_WORD, id, entries[i]);
        CHECK_IS(CALL(log_write, at, 1), 1);
        CHECK_IS(CALL(random, at, 8), write ? 8 : -TWZ_EFAULT);
        CHECK_IS(user_wait((volatile uint64_t *)at, 1, 0), 1);
        CHECK_IS(CALL(thread_wait, at, 1, 0, TWZ_SYNC_64), 0);
        CHECK_IS(CALL(thread_wake, at, 1), write ? 0 : -TWZ_EFAULT);
    }
    user_map(SLOT_WORD, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(log_write, at, 1), -TWZ_EFAULT);
    CHECK_IS(user_wait((volatile uint64_t *)at, 1, 0), -TWZ_EFAULT);
}

/* One bit for each call of syscall.def: a new call must get rows here, or a place in the list. */
static void test_each_call_has_rows(void)
{
#define SYSCALL(number, name, effect, run, count, ...) number,
    static const uint8_t calls[] = {
#include <twz/syscall.def>
    };
#undef SYSCALL
    /* null, stat (above), exit, sync and waits (by mappings), return, random, shutdown, log,
     * gate_return: no object; revoke: a signature */
    static const uint8_t other[] = { 0,
                                     7,
                                     14,
                                     18,
                                     19,
                                     20,
                                     21,
                                     22,
                                     23,
                                     24,
                                     25,
                                     TWZ_SYS_gate_return - TWZ_SYSCALL_BASE,
                                     TWZ_SYS_sec_revoke - TWZ_SYSCALL_BASE };
    uint64_t covered = 0;
    unsigned i;

    for (i = 0; i < ROWS; i++)
        covered |= 1ull << rows[i].call;
    for (i = 0; i < sizeof(other); i++)
        covered |= 1ull << other[i];
    for (i = 0; i < sizeof(calls); i++)
        CHECK((covered >> calls[i] & 1) != 0);
}

void test_main(void)
{
    user_handlers();
    test_each_use_needs_its_rights();
    test_stat_needs_one_right();
    test_permissions_only_shrink();
    test_slot_needs_both_rights();
    test_pointers_need_the_rights_of_their_mapping();
    test_each_call_has_rows();
}

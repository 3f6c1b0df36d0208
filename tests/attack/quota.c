/* SPDX-License-Identifier: MIT */
/*
 * quota: starts a program in an account of its own, which takes of one thing as much as that
 * account may have, and holds it. Meanwhile another program, in another account, does a bit of
 * everything. Then the first one ends, the holder of its account deletes what it has left in the
 * pool, and the uses of the account are what they were. Prints a line for each thing, and ends with
 * status 7.
 *
 * quota full WHAT ID: the first program; ID names the object whose first word it sets when it has
 * all, and whose second one names what it leaves. quota work: the other program. quota
 * own: looks at its own account.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <twz/faults.h>
#include <twz/name.h>
#include <twz/obj.h>
#include <twz/program.h>

#include "attack.h"

#define RIGHTS (TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL)
#define SELF   "/host/quota"

enum word { FULL, LEFT_LO, LEFT_HI, GO };

static int64_t create(uint32_t flags, uint32_t perms, uint32_t kind, objid_t tie, objid_t account,
                      objid_t *id)
{
    struct twz_create spec = {
        .flags = flags, .perms = perms, .kind = kind, .tie = tie, .account = account
    };

    return twz_sys_obj_create(&spec, id);
}

/* --- the program that takes all --------------------------------------------------------------- */

static void leave(objid_t id, uint64_t *word)
{
    word[LEFT_LO] = id.lo;
    word[LEFT_HI] = id.hi;
}

static int64_t fill_pages(uint32_t flags, uint64_t *word)
{
    uint64_t page = 1;
    int64_t ret;
    objid_t id;

    ret = create(flags, RIGHTS, TWZ_KIND_DATA, TWZ_OBJID_NONE, TWZ_OBJID_NONE, &id);
    leave(id, word);
    while (ret >= 0)
        ret = twz_sys_obj_range(id, TWZ_RANGE_POPULATE, TWZ_PAGE_SIZE * page++, TWZ_PAGE_SIZE);
    return ret;
}

static void *stay(void *arg)
{
    while (!arg)
        pause();
    return NULL;
}

static int64_t start_threads(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    int error;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 16384);
    do {
        error = pthread_create(&thread, &attr, stay, NULL);
    } while (!error);
    return error == EAGAIN ? -TWZ_EQUOTA : -error;
}

/* Objects that have no permissions at all, tied to one that has none either. */
static int64_t create_objects(uint32_t flags, uint32_t kind, uint64_t *word)
{
    objid_t parent, id;
    int64_t ret = create(flags, RIGHTS, TWZ_KIND_DATA, TWZ_OBJID_NONE, TWZ_OBJID_NONE, &parent);

    while (ret >= 0)
        ret = create(flags, 0, kind, parent, TWZ_OBJID_NONE, &id);
    leave(parent, word);
    (void)twz_sys_obj_ctl(parent, TWZ_CTL_PERMS, 0);
    return ret;
}

static int64_t map_slots(uint64_t *word)
{
    objid_t id;
    int64_t ret = create(0, RIGHTS, TWZ_KIND_DATA, TWZ_OBJID_NONE, TWZ_OBJID_NONE, &id);
    struct twz_catch c;
    uint32_t slot = 3000;

    if (ret < 0)
        return ret;
    leave(id, word);
    if (twz_catch(&c))
        return -TWZ_EQUOTA;
    for (; slot < 100000; slot++)
        (void)*(volatile char *)attack_map(slot, id, TWZ_READ);
    twz_catch_end(&c);
    return 0;
}

static void touch_stack(void)
{
    volatile char below[32768];

    for (size_t i = 0; i < sizeof(below); i += 4096)
        below[i] = 0;
}

static void take_all(const char *what, const char *where)
{
    objid_t id = { strtoull(where, NULL, 16), strtoull(where + 17, NULL, 16) };
    uint64_t *word = (uint64_t *)(void *)attack_map(ATTACK_SLOT, id, TWZ_READ | TWZ_WRITE);
    int64_t ret = -TWZ_EINVAL;

    /* Maps that word, the clock and the stack while there is memory: it sleeps later. */
    __atomic_store_n(&word[LEFT_LO], 0, __ATOMIC_RELAXED);
    touch_stack();
    usleep(1000);
    if (!strcmp(what, "memory"))
        ret = fill_pages(0, word);
    else if (!strcmp(what, "pool"))
        ret = fill_pages(TWZ_OBJ_PERSIST, word);
    else if (!strcmp(what, "threads"))
        ret = start_threads();
    else if (!strcmp(what, "objects"))
        ret = create_objects(0, TWZ_KIND_DATA, word);
    else if (!strcmp(what, "views"))
        ret = create_objects(0, TWZ_KIND_VIEW, word);
    else if (!strcmp(what, "stored"))
        ret = create_objects(TWZ_OBJ_PERSIST, TWZ_KIND_DATA, word);
    else if (!strcmp(what, "slots"))
        ret = map_slots(word);
    __atomic_store_n(&word[FULL], (uint64_t)-ret, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&word[GO], __ATOMIC_ACQUIRE))
        usleep(1000);
    _exit(7);
}

/* --- the program that works meanwhile --------------------------------------------------------- */

static void *add_one(void *arg)
{
    return (char *)arg + 1;
}

static int work(void)
{
    char *bytes = malloc(1 << 20);
    pthread_t thread;
    void *result;
    objid_t id;
    int fd;

    if (!bytes)
        return 1;
    memset(bytes, 5, 1 << 20);
    if (pthread_create(&thread, NULL, add_one, bytes) || pthread_join(thread, &result) ||
        result != bytes + 1)
        return 2;
    fd = open("/tmp/quota-work", O_CREAT | O_RDWR | O_TRUNC, 0600);
    if (fd < 0 || write(fd, bytes, 65536) != 65536 || close(fd) || unlink("/tmp/quota-work"))
        return 3;
    for (int i = 0; i < 20; i++)
        if (create(i & 1 ? TWZ_OBJ_PERSIST : 0, RIGHTS, TWZ_KIND_DATA, TWZ_OBJID_NONE,
                   TWZ_OBJID_NONE, &id) < 0 ||
            twz_sys_obj_delete(id, 0) < 0)
            return 4;
    return 7;
}

/* --- the program that starts both ------------------------------------------------------------- */

/* spare: 1 allows a little more, with which a program that is full can end. */
static bool set_limits(objid_t account, uint64_t spare)
{
    static const uint64_t limit[TWZ_ACCOUNT_KINDS] = { [TWZ_ACCOUNT_DRAM] = 6 << 20,
                                                       [TWZ_ACCOUNT_POOL] = 1 << 20,
                                                       [TWZ_ACCOUNT_THREADS] = 20,
                                                       [TWZ_ACCOUNT_KERNEL] = 400 << 10 };

    for (unsigned i = 0; i < TWZ_ACCOUNT_KINDS; i++)
        if (twz_sys_obj_ctl(account, TWZ_CTL_LIMIT + i, limit[i] + spare * (limit[i] / 4)) < 0)
            return false;
    return true;
}

static uint64_t use_of(objid_t account, unsigned what)
{
    const struct twz_account *page = (const void *)attack_map(ATTACK_SLOT + 2, account, TWZ_READ);
    struct twz_stat stat;

    if (twz_sys_obj_stat(account, &stat) < 0)
        return UINT64_MAX;
    return ((const volatile struct twz_account *)page)->use[what];
}

static int start(objid_t account, const char *const *argv, struct twz_process *process)
{
    struct twz_program_spec spec = { .path = SELF, .argv = argv, .account = account };
    int err = twz_name_resolve(SELF, &spec.program);

    if (err >= 0)
        err = twz_name_resolve("/sys/twix", &spec.runtime);
    return err < 0 ? err : twz_program_spawn(&spec, process);
}

static int run_work(objid_t account)
{
    static const char *const argv[] = { SELF, "work", NULL };
    struct twz_process process;
    struct twz_program_end end;
    int err = start(account, argv, &process);

    if (err >= 0)
        err = twz_program_wait(&process, TWZ_FOREVER, &end);
    return err < 0 ? err : (int)end.code;
}

#define IDLE 70 /* more than the mappings without a use that libtwz keeps */

/* Makes libtwz forget the mappings of a new process's objects, which keep their memory. */
static bool forget_mappings(void)
{
    static objid_t id[IDLE];
    twzobj obj;

    for (int i = 0; i < IDLE; i++) {
        if (twz_object_new(&obj, NULL, NULL, 0) < 0)
            return false;
        id[i] = obj.id;
        twz_object_release(&obj);
    }
    for (int i = 0; i < IDLE; i++)
        if (twz_object_delete_guid(id[i], 0) < 0)
            return false;
    return true;
}

/* Waits until the uses are 0: a program's address space goes a little after its exit word is set.
 * */
static bool wait_until_unused(objid_t account)
{
    for (unsigned what = 0; what < TWZ_ACCOUNT_KINDS; what++) {
        for (unsigned tries = 0; use_of(account, what) != 0; tries++) {
            if (tries == 2000) {
                for (unsigned i = 0; i < TWZ_ACCOUNT_KINDS; i++)
                    printf("use %u is %lu\n", i, use_of(account, i));
                return false;
            }
            usleep(1000);
        }
    }
    return true;
}

static bool try_one(const char *what, objid_t full, objid_t other)
{
    char where[40];
    const char *const argv[] = { SELF, "full", what, where, NULL };
    struct twz_process process;
    struct twz_program_end end;
    uint64_t *word;
    objid_t flag, left;
    int status;

    if (create(0, RIGHTS, TWZ_KIND_DATA, TWZ_OBJID_NONE, TWZ_OBJID_NONE, &flag) < 0)
        return false;
    word = (uint64_t *)(void *)attack_map(ATTACK_SLOT + 1, flag, TWZ_READ | TWZ_WRITE);
    snprintf(where, sizeof(where), "%016lx:%016lx", flag.lo, flag.hi);
    if (start(full, argv, &process) < 0)
        return false;
    while (!__atomic_load_n(&word[FULL], __ATOMIC_ACQUIRE) && !twz_program_poll(&process, &end))
        usleep(1000);
    status = run_work(other);
    printf("%s: full with error %lu, the other program ends with %d\n", what, word[FULL], status);
    if (word[FULL] != TWZ_EQUOTA || status != 7)
        return false;
    if (!set_limits(full, 1))
        return false;
    __atomic_store_n(&word[GO], 1, __ATOMIC_RELEASE);
    if (twz_program_wait(&process, TWZ_FOREVER, &end) < 0 || (end.code & 0xff) != 7) {
        printf("it ends with %lu, fault reason %u\n", end.code, end.fault.reason);
        return false;
    }
    left.lo = word[LEFT_LO];
    left.hi = word[LEFT_HI];
    if (left.lo && twz_sys_obj_delete(left, 0) < 0)
        return false;
    (void)twz_sys_obj_delete(flag, 0);
    return set_limits(full, 0) && forget_mappings() && wait_until_unused(full) &&
           wait_until_unused(other);
}

/* This program's own account leaves a part of everything to others. */
static int check_own_account(void)
{
    const struct twz_system *system = attack_system();
    const struct twz_account *page;
    struct twz_stat stat;
    objid_t id;

    if (create(0, RIGHTS, TWZ_KIND_DATA, TWZ_OBJID_NONE, TWZ_OBJID_NONE, &id) < 0 ||
        twz_sys_obj_stat(id, &stat) < 0 || !objid_equal(stat.account, system->account) ||
        use_of(stat.account, TWZ_ACCOUNT_DRAM) == 0 ||
        use_of(stat.account, TWZ_ACCOUNT_THREADS) == 0)
        return 1;
    page = (const void *)attack_map(ATTACK_SLOT + 2, stat.account, TWZ_READ);
    if (page->limit[TWZ_ACCOUNT_DRAM] + page->limit[TWZ_ACCOUNT_KERNEL] > system->memory / 8 * 7 ||
        page->limit[TWZ_ACCOUNT_POOL] > system->pool_size / 8 * 7)
        return 2;
    for (unsigned i = 0; i < TWZ_ACCOUNT_KINDS; i++)
        if (!page->limit[i] || page->use[i] > page->limit[i] ||
            twz_sys_obj_ctl(stat.account, TWZ_CTL_LIMIT + i, 0) != -TWZ_EDENIED)
            return 3;
    return twz_sys_obj_delete(stat.account, 0) == -TWZ_EDENIED ? 7 : 4;
}

int main(int argc, char **argv)
{
    static const char *const things[] = { "memory", "pool",   "threads", "objects",
                                          "views",  "stored", "slots" };
    objid_t full, other;

    if (argc == 4)
        take_all(argv[2], argv[3]);
    if (argc == 2)
        return !strcmp(argv[1], "work") ? work() : check_own_account();
    if (create(TWZ_OBJ_PERSIST, RIGHTS, TWZ_KIND_ACCOUNT, TWZ_OBJID_NONE, TWZ_OBJID_NONE, &full) <
            0 ||
        create(TWZ_OBJ_PERSIST, RIGHTS, TWZ_KIND_ACCOUNT, TWZ_OBJID_NONE, TWZ_OBJID_NONE, &other) <
            0 ||
        !set_limits(full, 0) || !set_limits(other, 0))
        return 1;
    setvbuf(stdout, NULL, _IONBF, 0);
    for (unsigned i = 0; i < sizeof(things) / sizeof(things[0]); i++)
        if (!try_one(things[i], full, other))
            return 1;
    if (twz_sys_obj_delete(full, 0) < 0 || twz_sys_obj_delete(other, 0) < 0)
        return 1;
    return 7;
}

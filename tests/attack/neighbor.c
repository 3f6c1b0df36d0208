/* SPDX-License-Identifier: MIT */
/*
 * neighbor [all]: programs of one user against each other. A victim prints the IDs of its view, its
 * thread object, its stack, its heap and a thread of its own; a spy is given them and tries all
 * that a call can do with an ID. Every attempt must be denied, and the same attempts on the spy's
 * own objects must work. The victim then finds its memory as it was.
 *
 *   victim        prints the IDs, waits for the end of its input, checks its memory
 *   spy ID...     the attempts; prints those that are not denied
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <twz/faults.h>
#include <twz/program.h>
#include <twz/thread.h>

#include "attack.h"

extern char **environ;

enum kind { VIEW, THREAD, STACK, HEAP, OTHER_THREAD, KINDS };
static const char *const names[KINDS] = { "view", "thread", "stack", "heap", "other thread" };

#define SECRET 0x73656372657473ull

#define CHECK(what)                                                    \
    do {                                                               \
        if (!(what)) {                                                 \
            printf("line %d: %s: errno %d\n", __LINE__, #what, errno); \
            exit(2);                                                   \
        }                                                              \
    } while (0)

static objid_t id_at(const void *p)
{
    twzobj obj;

    if (twz_object_init_ptr(&obj, p) < 0)
        return TWZ_OBJID_NONE;
    return obj.id;
}

/* --- the objects of a program ----------------------------------------------------------------- */

static objid_t other_thread;
static pthread_barrier_t met;

static void *stay(void *unused)
{
    other_thread = twz_thread_repr_base()->id;
    pthread_barrier_wait(&met);
    for (;;)
        pause();
    return unused;
}

/* Fills in the IDs of this program's objects. The secret lies in its heap. */
static void find_own(objid_t id[KINDS], uint64_t *secret)
{
    pthread_t thread;
    uint64_t here;

    CHECK(pthread_barrier_init(&met, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, stay, NULL) == 0);
    pthread_barrier_wait(&met);
    id[VIEW] = id_at((const void *)(uintptr_t)twz_thread_repr_base()->view);
    id[THREAD] = twz_thread_repr_base()->id;
    id[STACK] = id_at(&here);
    id[HEAP] = id_at(secret);
    id[OTHER_THREAD] = other_thread;
}

/* --- attempts --------------------------------------------------------------------------------- */

struct attempt {
    const char *name;
    uint32_t kinds; /* bit set of the objects that it can be made on */
    long (*make)(objid_t id, enum kind kind);
};

#define ALL     ((1u << KINDS) - 1)
#define THREADS (1u << OTHER_THREAD)

static long touch(objid_t id, bool store)
{
    volatile uint64_t *word;
    struct twz_catch c;
    twzobj obj;
    int err = twz_object_init_guid(&obj, id, store ? TWZ_READ | TWZ_WRITE : TWZ_READ);

    if (err < 0)
        return err;
    word = (volatile uint64_t *)twz_object_base(&obj);
    if (twz_catch(&c)) {
        err = -TWZ_EDENIED;
    } else {
        if (store)
            *word = *word;
        else
            (void)*word;
        twz_catch_end(&c);
    }
    twz_object_release(&obj);
    return err;
}

static long try_load(objid_t id, enum kind kind)
{
    (void)kind;
    return touch(id, false);
}

static long try_store(objid_t id, enum kind kind)
{
    (void)kind;
    return touch(id, true);
}

static long try_stat(objid_t id, enum kind kind)
{
    struct twz_stat stat;

    (void)kind;
    return twz_sys_obj_stat(id, &stat);
}

static long copy_between(objid_t from, objid_t to)
{
    const struct twz_copy copy = { .src = from,
                                   .dst = to,
                                   .src_off = TWZ_OBJ_DATA_TOP - TWZ_PAGE_SIZE,
                                   .dst_off = TWZ_OBJ_DATA_TOP - TWZ_PAGE_SIZE,
                                   .len = TWZ_PAGE_SIZE };

    return twz_sys_obj_copy(&copy, 1);
}

static long with_fresh(objid_t id, bool out)
{
    twzobj fresh;
    long ret;

    CHECK(twz_object_new(&fresh, NULL, NULL, 0) == 0);
    ret = out ? copy_between(id, fresh.id) : copy_between(fresh.id, id);
    CHECK(twz_object_delete(&fresh, TWZ_DELETE_NOW) == 0);
    twz_object_release(&fresh);
    return ret;
}

static long try_copy_out(objid_t id, enum kind kind)
{
    (void)kind;
    return with_fresh(id, true);
}

static long try_copy_in(objid_t id, enum kind kind)
{
    (void)kind;
    return with_fresh(id, false);
}

static long try_range(objid_t id, enum kind kind)
{
    (void)kind;
    return twz_sys_obj_range(id, TWZ_RANGE_HOLE, TWZ_OBJ_DATA_TOP - TWZ_PAGE_SIZE, TWZ_PAGE_SIZE);
}

static long try_pin(objid_t id, enum kind kind)
{
    (void)kind;
    return twz_sys_obj_pin(id, 1);
}

static long try_mode(objid_t id, enum kind kind)
{
    (void)kind;
    return twz_sys_obj_ctl(id, TWZ_CTL_MODE, TWZ_PERSIST_EXPLICIT);
}

static long try_tie(objid_t id, enum kind kind)
{
    twzobj child;
    long ret;

    (void)kind;
    CHECK(twz_object_new(&child, NULL, NULL, 0) == 0);
    ret = twz_sys_obj_tie(child.id, id, 1);
    CHECK(twz_object_delete(&child, TWZ_DELETE_NOW) == 0);
    twz_object_release(&child);
    return ret;
}

static long try_invalidate(objid_t id, enum kind kind)
{
    (void)kind;
    return twz_sys_kso_invalidate(id, 0, 1);
}

static long try_priority(objid_t id, enum kind kind)
{
    (void)kind;
    return twz_sys_thread_ctl(id, TWZ_THREAD_PRIORITY, 16, 0);
}

static long try_cores(objid_t id, enum kind kind)
{
    (void)kind;
    return twz_sys_thread_ctl(id, TWZ_THREAD_CORES, ~0ull, 0);
}

static long try_grant(objid_t id, enum kind kind)
{
    const struct twz_create create = { .perms = TWZ_USE | TWZ_DEL, .kind = TWZ_KIND_SCTX };
    objid_t context;
    long ret;

    (void)kind;
    CHECK(twz_sys_obj_create(&create, &context) == 0);
    ret = twz_sys_sec_grant(context, id, TWZ_READ, 0);
    CHECK(twz_sys_obj_delete(context, TWZ_DELETE_NOW) == 0);
    return ret;
}

static long try_spawn(objid_t view, enum kind kind)
{
    const struct twz_create create = { .kind = TWZ_KIND_THREAD };
    struct twz_spawn spawn = { .view = view, .entry = TWZ_OBJ_SIZE };
    long ret;

    (void)kind;
    CHECK(twz_sys_obj_create(&create, &spawn.thread) == 0);
    ret = twz_sys_thread_spawn(&spawn);
    CHECK(twz_sys_obj_delete(spawn.thread, TWZ_DELETE_NOW) == 0);
    return ret;
}

static long try_signal(objid_t id, enum kind kind)
{
    (void)kind;
    return twz_sys_thread_signal(id, 64, 0);
}

static long try_permissions(objid_t id, enum kind kind)
{
    (void)kind;
    return twz_sys_obj_ctl(id, TWZ_CTL_PERMS, 0);
}

static long try_delete(objid_t id, enum kind kind)
{
    (void)kind;
    return twz_sys_obj_delete(id, TWZ_DELETE_NOW);
}

static const struct attempt attempts[] = {
    { "load", ALL, try_load },
    { "store", ALL, try_store },
    { "stat", ALL, try_stat },
    { "copy out", 1u << STACK | 1u << HEAP, try_copy_out },
    { "copy in", 1u << STACK | 1u << HEAP, try_copy_in },
    { "hole", 1u << STACK | 1u << HEAP, try_range },
    { "pin", ALL, try_pin },
    { "mode", ALL, try_mode },
    { "tie", ALL, try_tie },
    { "invalidate", 1u << VIEW, try_invalidate },
    { "priority", THREADS, try_priority },
    { "cores", THREADS, try_cores },
    { "grant", ALL, try_grant },
    { "spawn", 1u << VIEW, try_spawn },
    { "signal", THREADS, try_signal },
    { "permissions", THREADS, try_permissions },
    { "delete", THREADS, try_delete },
};
#define ATTEMPTS (sizeof(attempts) / sizeof(attempts[0]))

/* Makes all attempts on a program's objects. Prints those that do not end as wanted. */
static int make_all(const objid_t id[KINDS], bool denied)
{
    int bad = 0;

    for (size_t i = 0; i < ATTEMPTS; i++) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            long ret;

            if (!(attempts[i].kinds >> kind & 1))
                continue;
            ret = attempts[i].make(id[kind], (enum kind)kind);
            if ((ret == -TWZ_EDENIED) == denied && (denied || ret >= 0))
                continue;
            printf("%s of the %s: %ld\n", attempts[i].name, names[kind], ret);
            bad++;
        }
    }
    printf("%zu attempts\n", ATTEMPTS);
    return bad;
}

/* --- the programs ----------------------------------------------------------------------------- */

static int be_victim(void)
{
    uint64_t *secret = malloc(sizeof(*secret));
    objid_t id[KINDS];
    char c;

    CHECK(secret);
    *secret = SECRET;
    find_own(id, secret);
    for (unsigned i = 0; i < KINDS; i++)
        printf("%llx %llx ", (unsigned long long)id[i].lo, (unsigned long long)id[i].hi);
    printf("\n");
    fflush(stdout);
    while (read(0, &c, 1) == 1)
        ;
    return *secret == SECRET ? 0 : 1;
}

static int be_spy(char **words)
{
    uint64_t *own = malloc(sizeof(*own));
    objid_t id[KINDS];
    int bad;

    for (unsigned i = 0; i < KINDS; i++) {
        id[i].lo = strtoull(words[2 * i], NULL, 16);
        id[i].hi = strtoull(words[2 * i + 1], NULL, 16);
    }
    bad = make_all(id, true);
    CHECK(own);
    find_own(id, own);
    return bad + make_all(id, false) == 0 ? 0 : 1;
}

static pid_t spawn(char **argv, int in, int out)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;

    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    if (in >= 0)
        CHECK(posix_spawn_file_actions_adddup2(&actions, in, 0) == 0);
    if (out >= 0)
        CHECK(posix_spawn_file_actions_adddup2(&actions, out, 1) == 0);
    CHECK(posix_spawn(&pid, argv[0], &actions, NULL, argv, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static int end_of(pid_t pid)
{
    int status;

    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void read_line(int fd, char *line, size_t size)
{
    size_t n = 0;

    while (n + 1 < size && read(fd, line + n, 1) == 1 && line[n] != '\n')
        n++;
    line[n] = 0;
}

static int be_both(char *self)
{
    char *victim[] = { self, "victim", NULL };
    char *spy[2 + 2 * KINDS + 1] = { self, "spy" };
    int in[2], out[2], spied, ended;
    char line[512], *word, *rest = line;
    unsigned n = 2;
    pid_t pid;

    CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    pid = spawn(victim, in[0], out[1]);
    read_line(out[0], line, sizeof(line));
    while ((word = strtok_r(rest, " ", &rest)) && n < 2 + 2 * KINDS)
        spy[n++] = word;
    CHECK(n == 2 + 2 * KINDS);
    spied = end_of(spawn(spy, -1, -1));
    close(in[1]);
    ended = end_of(pid);
    printf("spy %d, victim %d\n", spied, ended);
    return spied == 0 && ended == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "victim") == 0)
        return be_victim();
    if (argc == 2 + 2 * KINDS && strcmp(argv[1], "spy") == 0)
        return be_spy(argv + 2);
    return be_both(argv[0]);
}

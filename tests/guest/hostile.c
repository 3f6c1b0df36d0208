/* SPDX-License-Identifier: MIT */
/*
 * Programs that deny or destroy what they share with others: a directory, a pipe, an open file.
 * The other program must get an error and go on. The first argument is the case; a
 * case that is right ends with status 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hier/hier.h>
#include <twz/call.h>
#include <twz/name.h>
#include <twz/program.h>
#include <twz/threads.h>
#include <twz/view.h>

#define CHECK(cond)                                                             \
    do {                                                                        \
        if (!(cond)) {                                                          \
            fprintf(stderr, "line %d: %s: errno %d\n", __LINE__, #cond, errno); \
            exit(1);                                                            \
        }                                                                       \
    } while (0)

extern char **environ;

/* --- what a hostile program does -------------------------------------------------------------- */

static int hole_in(const char *path, uint64_t op, uint64_t off, uint64_t len)
{
    objid_t id;

    CHECK(twz_name_resolve(path, &id) == 0);
    CHECK(twz_sys_obj_range(id, op, off, len) == 0);
    return 0;
}

/* End by a fault: init then looks for the name of the object, through all directories. */
static void end_by_fault(void)
{
    *(volatile int *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + 4096) = 1;
}

/* Whether the slot has this program's own stack, arguments, or the data above a text. */
static bool is_own(uint32_t slot, const volatile struct twz_view_entry *below)
{
    uint64_t stack = (uint64_t)(uintptr_t)__builtin_frame_address(0);

    return slot == stack >> TWZ_OBJ_SHIFT ||
           slot == twz_thread_repr_base()->args >> TWZ_OBJ_SHIFT || (below->flags & TWZ_EXEC);
}

/* Make a hole over the data of each object of this view that other programs may use, too: volatile,
 * writable, mapped more than once. */
static int destroy_shared(void)
{
    const volatile struct twz_view_entry *entry =
        (const volatile struct twz_view_entry *)(uintptr_t)(twz_thread_repr_base()->view +
                                                            TWZ_VIEW_TABLE);
    int count = 0;

    for (uint32_t slot = TWZ_SLOT_RANDOM; slot < TWZ_SLOTS; slot++) {
        objid_t id = { entry[slot].id.lo, entry[slot].id.hi };
        struct twz_stat stat;

        if (!(entry[slot].flags & TWZ_VE_VALID) || (entry[slot].flags & 3) != 3 ||
            twz_object_stat(id, &stat) < 0 || stat.kind != TWZ_KIND_DATA ||
            (stat.flags & TWZ_OBJ_PERSIST) || stat.uses < 2 || is_own(slot, &entry[slot - 1]))
            continue;
        count += twz_sys_obj_range(id, TWZ_RANGE_HOLE, TWZ_OBJ_BASE, 32 * TWZ_PAGE_SIZE) == 0;
    }
    return count;
}

/* --- the other side --------------------------------------------------------------------------- */

/* Runs this program with two words, as a process of its own. */
static void run_self(const char *self, const char *what, const char *arg)
{
    char *args[] = { (char *)self, (char *)what, (char *)arg, NULL };
    int status;
    pid_t pid;

    CHECK(posix_spawn(&pid, self, NULL, NULL, args, environ) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void run_destroyer(const char *self)
{
    run_self(self, "destroy", NULL);
}

static int check_pipe(const char *self)
{
    char bytes[10];
    int ends[2];

    CHECK(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    run_destroyer(self);
    CHECK(read(ends[0], bytes, sizeof(bytes)) == -1 && errno == EIO);
    CHECK(write(ends[1], "y", 1) == -1 && errno == EIO);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
    CHECK(pipe(ends) == 0 && write(ends[1], "z", 1) == 1 && read(ends[0], bytes, 1) == 1);
    return 0;
}

static int check_state(const char *self)
{
    int fd = open("/tmp/shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char bytes[4];

    CHECK(fd >= 0 && write(fd, "abcd", 4) == 4);
    run_destroyer(self);
    CHECK(lseek(fd, 0, SEEK_SET) == -1 && errno == EIO);
    CHECK(read(fd, bytes, 4) == -1 && errno == EIO);
    CHECK(fcntl(fd, F_GETFL) == -1 && errno == EIO);
    CHECK(ftruncate(fd, 2) == -1 && errno == EIO);
    CHECK(fchmod(fd, 0640) == -1 && errno == EIO);
    CHECK(pread(fd, bytes, 4, 0) == 4 && memcmp(bytes, "abcd", 4) == 0);
    CHECK(close(fd) == 0);
    CHECK((fd = open("/tmp/shared", O_RDONLY)) >= 0 && read(fd, bytes, 4) == 4);
    return 0;
}

/* Another program destroys a file that this one has open. */
static int check_file(void)
{
    int fd = open("/tmp/file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct stat st;
    char bytes[4];
    objid_t id;

    CHECK(fd >= 0 && write(fd, "abcd", 4) == 4);
    hole_in("/tmp/file", TWZ_RANGE_HOLE, TWZ_OBJ_META, TWZ_PAGE_SIZE);
    CHECK(pread(fd, bytes, 4, 0) == -1 && errno == EIO);
    CHECK(pwrite(fd, bytes, 4, 0) == -1 && errno == EIO);
    CHECK(fstat(fd, &st) == -1 && errno == EIO);
    CHECK(stat("/tmp/file", &st) == -1 && errno == EIO);
    CHECK(twz_name_resolve("/tmp/file", &id) == 0 &&
          twz_object_delete_guid(id, TWZ_DELETE_NOW) == 0);
    CHECK(pread(fd, bytes, 4, 0) == -1 && errno == EIO);
    CHECK(close(fd) == 0 && unlink("/tmp/file") == 0);
    return 0;
}

/* Each call on a name in a directory that was destroyed is an error. */
static int check_dir(const char *path, int want)
{
    char name[64], other[64];
    struct stat st;
    int fd;

    snprintf(name, sizeof(name), "%s/x", path);
    snprintf(other, sizeof(other), "%s/y", path);
    errno = 0;
    fd = open(name, O_RDWR | O_CREAT, 0600);
    if (fd >= 0 || errno != want)
        printf("open: %d, errno %d\n", fd, errno);
    CHECK(fd == -1 && errno == want);
    CHECK(mkdir(name, 0700) == -1 && errno == want);
    CHECK(symlink("a", name) == -1 && errno == want);
    CHECK(rename(name, other) == -1);
    CHECK(rename("/host/hostile", name) == -1 && errno == want);
    CHECK(link("/host/hostile", name) == -1 && errno == want);
    CHECK(unlink(name) == -1);
    CHECK(stat("/host/hostile", &st) == 0 && st.st_nlink == 1);
    return 0;
}

/* --- words of shared directories and tables --------------------------------------------------- */

static void open_dir(const char *path, twzobj *dir)
{
    objid_t id;

    CHECK(twz_name_resolve(path, &id) == 0);
    CHECK(twz_object_init_guid(dir, id, TWZ_READ | TWZ_WRITE) == 0);
}

static struct attr_record *record_of(const twzobj *dir, const char *name)
{
    const struct hier_dir *head = twz_object_base(dir);
    struct hier_found found;
    twzobj table;

    CHECK(hier_lookup(dir, (struct hier_name){ name, strlen(name) }, &found) == 0 && found.attr);
    CHECK(attr_open(head->attrs, TWZ_READ | TWZ_WRITE, &table) == 0);
    return attr_at(&table, found.attr);
}

/* A record that cannot be locked does not change, and no call says that it has. */
static int check_record(void)
{
    int fd = open("/tmp/locked", O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct attr_record *record;
    struct stat st;
    twzobj dir;

    CHECK(fd >= 0);
    open_dir("/tmp", &dir);
    record = record_of(&dir, "locked");
    CHECK(twz_mutex_lock(&record->lock) == 0);
    CHECK(fchmod(fd, 0611) == -1 && errno == EIO);
    CHECK(chmod("/tmp/locked", 0611) == -1 && errno == EIO);
    CHECK(futimens(fd, NULL) == -1 && errno == EIO);
    CHECK(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0600);
    twz_mutex_unlock(&record->lock);
    CHECK(fchmod(fd, 0611) == 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0611);
    CHECK(close(fd) == 0 && unlink("/tmp/locked") == 0);
    return 0;
}

static struct hier_entry *entry_of(const twzobj *dir, const char *name)
{
    uint8_t *at = dir->start + HIER_START;

    for (;; at += HIER_CELL) {
        struct hier_entry *e = (void *)at;

        if (HIER_CHUNK_KIND(e->chunk) == HIER_CHUNK_ENTRY && e->name_len == strlen(name) &&
            memcmp(e->bytes, name, e->name_len) == 0)
            return e;
    }
}

/* An open ends although the directory has the name and says that it leads to nothing. */
static int check_kind(void)
{
    static const uint8_t unknown[] = { 0, HIER_SYMLINK + 1, 255 };
    twzobj dir;
    int fd;

    CHECK(mkdir("/tmp/kinds", 0700) == 0);
    CHECK((fd = open("/tmp/kinds/file", O_RDWR | O_CREAT, 0600)) >= 0 && close(fd) == 0);
    open_dir("/tmp/kinds", &dir);
    for (size_t i = 0; i < sizeof(unknown); i++) {
        entry_of(&dir, "file")->kind = unknown[i];
        CHECK(open("/tmp/kinds/file", O_RDWR | O_CREAT, 0600) == -1 && errno == EIO);
        CHECK(open("/tmp/kinds/file", O_RDONLY) == -1 && errno == EIO);
        CHECK(unlink("/tmp/kinds/file") == -1 && errno == EIO);
    }
    entry_of(&dir, "file")->kind = HIER_OBJECT;
    CHECK(unlink("/tmp/kinds/file") == 0 && rmdir("/tmp/kinds") == 0);
    return 0;
}

/* --- locks that are never released ------------------------------------------------------------ */

#define PIPE_MAGIC 0x3165706970777a74ull /* libtwix/src/file/pipe.c: then version and three locks */

/* Store this thread's owner word in each lock for a length, and in the locks of each pipe. */
static void keep_locks(void)
{
    const volatile struct twz_view_entry *entry =
        (const volatile struct twz_view_entry *)(uintptr_t)(twz_thread_repr_base()->view +
                                                            TWZ_VIEW_TABLE);
    struct twz_mutex mine = { 0 };
    struct attr_head *head;
    twzobj root, table;

    CHECK(twz_mutex_lock(&mine) == 0);
    CHECK(twz_object_init_guid(&root, twz_name_root(), TWZ_READ) == 0);
    CHECK(attr_open(((struct hier_dir *)twz_object_base(&root))->attrs, TWZ_READ | TWZ_WRITE,
                    &table) == 0);
    head = twz_object_base(&table);
    for (unsigned i = 0; i < ATTR_LOCKS; i++)
        head->size_lock[i].word = mine.word;
    for (uint32_t slot = TWZ_SLOT_RANDOM; slot < TWZ_SLOTS; slot++) {
        uint64_t *word = (uint64_t *)(uintptr_t)(TWZ_SLOT_ADDR(slot) + TWZ_OBJ_BASE);

        if ((entry[slot].flags & TWZ_VE_VALID) && (entry[slot].flags & 3) == 3 &&
            word[0] == PIPE_MAGIC)
            word[2] = word[3] = word[4] = mine.word;
    }
    CHECK(mkdir("/tmp/kept", 0700) == 0);
    for (;;)
        pause();
}

/* The calls that need such a lock fail in the end; when its owner is dead, they succeed. */
static int check_locks(const char *self)
{
    char *args[] = { (char *)self, "keep", NULL };
    int fd = open("/tmp/length", O_RDWR | O_CREAT | O_TRUNC, 0600), ends[2], status;
    struct stat st;
    char c = 0;
    pid_t pid;

    CHECK(fd >= 0 && write(fd, "ab", 2) == 2 && pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    CHECK(posix_spawn(&pid, self, NULL, NULL, args, environ) == 0);
    while (stat("/tmp/kept", &st) != 0)
        usleep(1000);
    CHECK(write(fd, "cd", 2) == -1 && errno == EBUSY);
    CHECK(ftruncate(fd, 1) == -1 && errno == EBUSY);
    CHECK(pwrite(fd, "A", 1, 0) == 1 && fstat(fd, &st) == 0 && st.st_size == 2);
    CHECK(write(ends[1], "y", 1) == -1 && errno == EBUSY);
    CHECK(read(ends[0], &c, 1) == -1 && errno == EBUSY);
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
    CHECK(write(fd, "cd", 2) == 2 && fstat(fd, &st) == 0 && st.st_size == 4);
    CHECK(read(ends[0], &c, 1) == 1 && c == 'x' && write(ends[1], "y", 1) == 1);
    return 0;
}

/* --- forged inheritance ----------------------------------------------------------------------- */

/* A parent's description of one descriptor, for its child (libtwix/src/life/inherit.h), and the
 * head of a pipe (libtwix/src/file/pipe.c). */
struct forged {
    uint64_t magic;
    uint32_t version;
    uint32_t count;
    uint64_t head[4];
    int32_t fd;
    uint32_t kind;
    uint32_t writes;
    uint32_t access;
    uint64_t flags;
    objid_t state;
    objid_t pipe;
    uint64_t end;
    uint64_t record[3];
};
_Static_assert(sizeof(struct forged) == 48 + 88, "sizes of libtwix");

struct pipe_words {
    uint64_t head[8];
    struct {
        uint64_t owner;
        uint64_t use; /* 1: it reads, 2: it writes */
    } end[64];
};

#define FORGED_FD 9

/* Start this program with a forged description of a pipe's end. True: the child has the end. */
static bool opens_forged(const char *self, objid_t pipe, uint32_t writes, uint64_t end)
{
    struct forged forged = { .magic = 0x3168697774777a74ull,
                             .version = 2,
                             .count = 1,
                             .fd = FORGED_FD,
                             .kind = 7,
                             .writes = writes,
                             .access = writes ? O_WRONLY : O_RDONLY,
                             .pipe = pipe,
                             .end = end };
    const struct twz_args *own = (const void *)(uintptr_t)twz_thread_repr_base()->args;
    const char *argv[] = { self, "has", NULL }, *envp[] = { NULL };
    struct twz_program_spec spec = { .program = own->program,
                                     .runtime = own->runtime,
                                     .path = self,
                                     .argv = argv,
                                     .envp = envp,
                                     .opaque = &forged,
                                     .opaque_len = sizeof(forged) };
    struct twz_process process;
    struct twz_program_end result;

    CHECK(twz_program_spawn(&spec, &process) == 0);
    CHECK(twz_program_wait(&process, TWZ_FOREVER, &result) == 0 && !result.by_fault);
    CHECK((result.code & 0xff) <= 1);
    return (result.code & 0xff) == 0;
}

/* A child takes the entry of a pipe's table only for the end that it is. */
static int check_forged(const char *self)
{
    const volatile struct twz_view_entry *entry =
        (const volatile struct twz_view_entry *)(uintptr_t)(twz_thread_repr_base()->view +
                                                            TWZ_VIEW_TABLE);
    const struct pipe_words *words = NULL;
    objid_t pipe_id = { 0 };
    int ends[2];

    CHECK(pipe(ends) == 0);
    for (uint32_t slot = TWZ_SLOT_RANDOM; slot < TWZ_SLOTS && !words; slot++) {
        const struct pipe_words *w = (void *)(uintptr_t)(TWZ_SLOT_ADDR(slot) + TWZ_OBJ_BASE);

        if (!(entry[slot].flags & TWZ_VE_VALID) || (entry[slot].flags & 3) != 3 ||
            w->head[0] != PIPE_MAGIC)
            continue;
        words = w;
        pipe_id = (objid_t){ entry[slot].id.lo, entry[slot].id.hi };
    }
    CHECK(words && words->end[0].use == 1 && words->end[1].use == 2 && words->end[2].use == 0);
    CHECK(!opens_forged(self, pipe_id, 0, 1) && !opens_forged(self, pipe_id, 1, 0));
    CHECK(!opens_forged(self, pipe_id, 0, 2) && !opens_forged(self, pipe_id, 0, 64));
    CHECK(!opens_forged(self, pipe_id, 1, 1ull << 40) && !opens_forged(self, pipe_id, 0, ~0ull));
    CHECK(opens_forged(self, pipe_id, 0, 0) && opens_forged(self, pipe_id, 1, 1));
    return 0;
}

/* --- objects that no program may write -------------------------------------------------------- */

/* Names and attributes of an object change without a right on it. A program has all rights on what
 * it makes itself, so another one makes the object. */
static int check_readonly(const char *path, uint32_t perms)
{
    const struct timespec times[2] = { { 0 }, { .tv_sec = 77 } };
    struct stat st;
    objid_t id;

    CHECK(twz_name_resolve(path, &id) == 0 && twz_object_ctl(id, TWZ_CTL_PERMS, perms) == 0);
    for (int i = 0; i < 3000; i++) /* more than a program may have open: each gives all back */
        CHECK(open(path, O_RDWR) == -1 && errno == EACCES);
    CHECK(link(path, "/tmp/second") == 0 && stat(path, &st) == 0 && st.st_nlink == 2);
    CHECK(chmod(path, 0751) == 0 && stat("/tmp/second", &st) == 0);
    CHECK((st.st_mode & 07777) == 0751);
    CHECK(utimensat(AT_FDCWD, path, times, 0) == 0 && stat(path, &st) == 0);
    CHECK(st.st_mtim.tv_sec == 77);
    CHECK(rename("/tmp/second", "/tmp/third") == 0 && rename(path, "/tmp/second") == 0);
    CHECK(unlink("/tmp/third") == 0 && stat("/tmp/second", &st) == 0 && st.st_nlink == 1);
    CHECK(unlink("/tmp/second") == 0 && stat("/tmp/second", &st) == -1 && errno == ENOENT);
    CHECK((twz_object_stat(id, &(struct twz_stat){ 0 }) < 0) == ((perms & TWZ_DEL) != 0));
    return 0;
}

static void create_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

    CHECK(fd >= 0 && write(fd, "text", 4) == 4 && close(fd) == 0);
}

static void name_volatile(const char *path)
{
    twzobj obj;

    CHECK(twz_object_new(&obj, NULL, NULL, TWZ_READ | TWZ_WRITE | TWZ_DEL) == 0);
    CHECK(twz_object_set_size(&obj, 5) == 0 && twz_name_assign(path, obj.id) == 0);
    twz_object_release(&obj);
}

static int check_all_readonly(const char *self)
{
    const uint32_t perms[] = { TWZ_READ | TWZ_DEL, TWZ_READ };

    for (unsigned i = 0; i < 2; i++) {
        run_self(self, "make-file", "/tmp/ro");
        check_readonly("/tmp/ro", perms[i]);
        run_self(self, "make-volatile", "/tmp/ro");
        check_readonly("/tmp/ro", perms[i]);
    }
    return 0;
}

/* A new file loses its name before the first access. */
static void check_tmpfile(void)
{
    int fd = open("/tmp/tmpfile", O_RDWR | O_CREAT | O_EXCL, 0600);
    char bytes[4] = { 0 };

    CHECK(fd >= 0 && unlink("/tmp/tmpfile") == 0);
    CHECK(write(fd, "abcd", 4) == 4 && lseek(fd, 0, SEEK_SET) == 0 && read(fd, bytes, 4) == 4);
    CHECK(memcmp(bytes, "abcd", 4) == 0 && close(fd) == 0);
}

/* An open file without a name keeps its attributes, also after its record has another owner. */
static int check_unlinked(void)
{
    int fd = open("/tmp/gone", O_RDWR | O_CREAT | O_EXCL, 0640);
    struct stat st;

    CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 1 && (st.st_mode & 07777) == 0640);
    CHECK(chmod("/tmp/gone", 0604) == 0 && unlink("/tmp/gone") == 0);
    CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && (st.st_mode & 07777) == 0604);
    create_file("/tmp/other"); /* takes the record */
    CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && (st.st_mode & 07777) == 0604);
    CHECK(fchmod(fd, 0611) == 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0611);
    CHECK(stat("/tmp/other", &st) == 0 && (st.st_mode & 07777) == 0600 && st.st_nlink == 1);
    CHECK(write(fd, "abc", 3) == 3 && fstat(fd, &st) == 0 && st.st_size == 3);
    CHECK(ftruncate(fd, 1) == 0 && fstat(fd, &st) == 0 && st.st_size == 1);
    CHECK(close(fd) == 0 && unlink("/tmp/other") == 0);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "destroy") == 0)
        return destroy_shared() > 0 ? 0 : 1;
    if (strcmp(what, "pipe") == 0)
        return check_pipe(argv[0]);
    if (strcmp(what, "state") == 0)
        return check_state(argv[0]);
    if (strcmp(what, "file") == 0)
        return check_file();
    if (strcmp(what, "record") == 0)
        return check_record();
    if (strcmp(what, "kind") == 0)
        return check_kind();
    if (strcmp(what, "keep") == 0)
        keep_locks();
    if (strcmp(what, "locks") == 0)
        return check_locks(argv[0]);
    if (strcmp(what, "forged") == 0)
        return check_forged(argv[0]);
    if (strcmp(what, "has") == 0)
        return fcntl(FORGED_FD, F_GETFD) == -1;
    if (strcmp(what, "readonly") == 0)
        return check_all_readonly(argv[0]);
    if (strcmp(what, "make-file") == 0)
        return create_file(argv[2]), 0;
    if (strcmp(what, "make-volatile") == 0)
        return name_volatile(argv[2]), 0;
    if (strcmp(what, "unlinked") == 0)
        return check_tmpfile(), check_unlinked();
    if (strcmp(what, "dir") == 0 && argc == 4)
        return check_dir(argv[2], atoi(argv[3]));
    if (strcmp(what, "spoil") == 0 && argc == 5) {
        (void)!mkdir(argv[2], 0700);
        hole_in(argv[2], strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0), TWZ_PAGE_SIZE);
        end_by_fault();
    }
    if (strcmp(what, "perms") == 0 && argc == 4) {
        objid_t id;

        (void)!mkdir(argv[2], 0700);
        CHECK(twz_name_resolve(argv[2], &id) == 0);
        CHECK(twz_object_ctl(id, TWZ_CTL_PERMS, strtoull(argv[3], NULL, 0)) == 0);
        end_by_fault();
    }
    return 2;
}

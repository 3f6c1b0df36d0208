/* SPDX-License-Identifier: MIT */
/*
 * pool OUT MIB PROGRAM [NUMBER...] makes a pool file with PROGRAM as the first program, and an
 * object that names another one as the root of the namespace; the numbers, 8 bytes each, are at its
 * base. pool FILE checks the invariants of a pool.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <store/store.h>

struct program {
    uint8_t *bytes;
    size_t len;
    uint8_t page[STORE_FRAME_SIZE];
    uint64_t numbers[STORE_FRAME_SIZE / 8];
};

static void *env_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void env_free(void *ctx, void *mem, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(mem);
}

static const void *program_page(void *ctx, uint32_t page)
{
    struct program *p = ctx;
    size_t off = (size_t)(page - 1) * STORE_FRAME_SIZE;
    size_t left = p->len - off;

    memset(p->page, 0, sizeof(p->page));
    memcpy(p->page, p->bytes + off, left < sizeof(p->page) ? left : sizeof(p->page));
    return p->page;
}

static int read_program(const char *path, struct program *p)
{
    FILE *f = fopen(path, "rb");
    struct stat st;

    if (!f || fstat(fileno(f), &st) < 0)
        return -1;
    p->len = (size_t)st.st_size;
    p->bytes = malloc(p->len + 1);
    if (!p->bytes || fread(p->bytes, 1, p->len, f) != p->len)
        return -1;
    return fclose(f);
}

/* Page 2 of the root of the namespace begins with the ID of an object with a revocation epoch and
 * an account. */
static const void *revoked_page(void *ctx, uint32_t page)
{
    static uint8_t bytes[STORE_FRAME_SIZE];

    (void)page;
    memcpy(bytes, ctx, sizeof(objid_t));
    return bytes;
}

static int add_revoked(struct store *store, uint32_t names)
{
    struct store_create create = { .nonce = { 3, 3 }, .perms = TWZ_PERMS, .account = { 7, 9 } };
    uint32_t row;
    objid_t id;
    int err = store_obj_create(store, &create, &row, &id);

    if (err == 0)
        err = store_obj_revoke(store, row, 5);
    return err < 0 ? err : store_page_add_many(store, names, 2, 1, revoked_page, &id);
}

static const void *numbers_page(void *ctx, uint32_t page)
{
    (void)page;
    return ctx;
}

static int fill_pool(struct store *store, struct program *p)
{
    struct store_create program = { .nonce = { 1, 1 }, .perms = TWZ_READ | TWZ_EXEC };
    struct store_create names = { .nonce = { 2, 2 }, .perms = TWZ_PERMS };
    uint32_t pages = (uint32_t)((p->len + STORE_FRAME_SIZE - 1) / STORE_FRAME_SIZE);
    struct store_roots roots = { .spare = { { 0, 0 } } };
    uint32_t row;
    int err = store_obj_create(store, &program, &row, &roots.init);

    if (err == 0)
        err = store_page_add_many(store, row, 1, pages, program_page, p);
    if (err == 0)
        err = store_obj_create(store, &names, &row, &roots.names);
    if (err == 0 && p->numbers[0] != 0)
        err = store_page_add_many(store, row, 1, 1, numbers_page, p->numbers);
    if (err == 0)
        err = add_revoked(store, row);
    return err < 0 ? err : store_super_set(store, &roots);
}

static int make_pool(void *base, size_t size, struct program *p)
{
    struct store_env env = { .base = base, .size = size, .alloc = env_alloc, .free = env_free };
    struct store_mkpool format = { .uuid = { 't', 'e', 's', 't' }, .label = "test" };
    struct store_recovery done;
    struct store *store;
    int err = store_mkpool(&env, &format);

    if (err == 0)
        err = store_open(&env, &store, NULL);
    if (err < 0)
        return err;
    err = store_recover(store, &done);
    if (err == 0)
        err = fill_pool(store, p);
    store_close(store);
    return err;
}

static void *map_file(const char *path, int flags, size_t *size)
{
    int fd = open(path, flags, 0644);
    struct stat st;
    void *base;

    if (fd < 0 || (*size != 0 && ftruncate(fd, (off_t)*size) < 0) || fstat(fd, &st) < 0) {
        perror(path);
        exit(1);
    }
    *size = (size_t)st.st_size;
    base = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        perror(path);
        exit(1);
    }
    return base;
}

static void print_problem(void *ctx, const struct store_report *r)
{
    (void)ctx;
    printf("pool: %s at offset %llx: found %llx, wanted %llx\n", r->what,
           (unsigned long long)r->offset, (unsigned long long)r->found,
           (unsigned long long)r->wanted);
}

static int check_pool(const char *path)
{
    struct store_env env = { .alloc = env_alloc, .free = env_free };
    struct store_checked result = { 0 };
    int err;

    env.base = map_file(path, O_RDWR, &env.size);
    err = store_check(&env, print_problem, NULL, &result);
    printf("pool: %llu objects, %llu problems\n", (unsigned long long)result.objects,
           (unsigned long long)result.problems);
    return err < 0 || result.problems != 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    static struct program p;
    size_t size;
    void *base;
    int err;

    if (argc == 2)
        return check_pool(argv[1]);
    if (argc < 4 || argc > 12 || read_program(argv[3], &p) < 0) {
        fprintf(stderr, "usage: pool OUT MIB PROGRAM [NUMBER...] | pool FILE\n");
        return 2;
    }
    for (int i = 4; i < argc; i++)
        p.numbers[i - 4] = strtoull(argv[i], NULL, 0);
    size = strtoull(argv[2], NULL, 0) << 20;
    base = map_file(argv[1], O_RDWR | O_CREAT | O_TRUNC, &size);
    err = make_pool(base, size, &p);
    if (err < 0)
        fprintf(stderr, "pool: error %d\n", -err);
    return err < 0 ? 1 : 0;
}

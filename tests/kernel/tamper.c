/* SPDX-License-Identifier: MIT */
/*
 * tamper POOL changes sealed objects in a pool, object n as change n says. It stores
 * right checksums and checks, as an adversary with the pool file could. The base of the
 * name root has a step, then the IDs of the objects (test_tamper.c).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <store/inside.h>
#include <verify/tree.h>

static struct store *store;
static objid_t first_tree;

/* An object that is changed, and its tree. */
struct victim {
    uint32_t row;
    uint32_t tree;
    struct cursor at;
};

static void fail(const char *what)
{
    fprintf(stderr, "tamper: %s\n", what);
    exit(1);
}

static void *env_memory(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void env_release(void *ctx, void *mem, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(mem);
}

static void open_pool(const char *path)
{
    struct store_env env = { .alloc = env_memory, .free = env_release };
    struct store_recovery done;
    struct stat st;
    int fd = open(path, O_RDWR);

    if (fd < 0 || fstat(fd, &st) < 0)
        fail(path);
    env.size = (uint64_t)st.st_size;
    env.base = mmap(NULL, env.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (env.base == MAP_FAILED || store_open(&env, &store, NULL) < 0 ||
        store_recover(store, &done) < 0)
        fail("the pool cannot be opened");
}

/* --- what can be changed ---------------------------------------------------------------------- */

static uint8_t *page_bytes(uint32_t row, uint32_t page)
{
    struct store_page p;

    if (store_page_get(store, row, page, &p) < 0 || !p.frame)
        fail("a page is missing");
    return store_frame_ptr(store, p.frame);
}

static void set_word(const struct victim *v, uint32_t page, uint32_t state, uint32_t frame)
{
    v->at.entry->direct[page - 1] =
        word_seal(word_body(state, 0, frame), v->at.salt, STORE_LOC_PAGE, page);
}

/* Makes the commit word right for the entry as it is. */
static void fix_entry(const struct victim *v)
{
    struct store_entry *entry = v->at.entry;
    uint32_t crc = entry_crc(entry->id, &entry->identity, entry_version(entry));

    entry->commit =
        word_commit(STORE_LIVE, STORE_COMMIT_SEQ(entry->commit), crc, store->salt, v->at.number);
}

static struct store_version *version_of(const struct victim *v)
{
    return &v->at.entry->version[STORE_COMMIT_SEQ(v->at.entry->commit) & 1u];
}

/* Puts the right digest of an element into the node above it. */
static void fix_digest(const struct victim *v, unsigned level, uint32_t index, const void *content)
{
    uint32_t off, page = tree_page_of(level, index, &off);

    tree_digest(page_bytes(v->tree, page) + off, level, content);
}

/* --- the changes ------------------------------------------------------------------------------ */

static void change_nothing(const struct victim *v)
{
    (void)v;
}

static void change_page(const struct victim *v)
{
    page_bytes(v->row, 1)[4095] ^= 1;
}

static void change_page_far_away(const struct victim *v)
{
    page_bytes(v->row, 200)[0] ^= 0x80;
}

static void remove_page(const struct victim *v)
{
    set_word(v, 1, STORE_ABSENT, 0);
}

static void add_page(const struct victim *v)
{
    uint32_t frame;

    if (store_page_add(store, v->row, 5, &frame) < 0)
        fail("no page can be added");
    memset(store_frame_ptr(store, frame), 1, 8);
}

static void swap_pages(const struct victim *v)
{
    struct store_page a, b;

    if (store_page_get(store, v->row, 1, &a) < 0 || store_page_get(store, v->row, 2, &b) < 0)
        fail("a page is missing");
    set_word(v, 1, b.state, b.frame);
    set_word(v, 2, a.state, a.frame);
}

static void change_node_0(const struct victim *v)
{
    page_bytes(v->tree, TREE_PAGE_LEVEL0)[TREE_DIGEST] ^= 1;
}

static void change_node_1(const struct victim *v)
{
    page_bytes(v->tree, TREE_PAGE_LEVEL1)[4095] ^= 1;
}

static void change_top(const struct victim *v)
{
    page_bytes(v->tree, TREE_PAGE_TOP)[0] ^= 1;
}

static void add_write(const struct victim *v)
{
    v->at.entry->identity.perms |= TWZ_WRITE;
    fix_entry(v);
}

static void change_root(const struct victim *v)
{
    v->at.entry->identity.seal[31] ^= 1;
    fix_entry(v);
}

/* The tree of the first object, whose content is another one. */
static void take_other_tree(const struct victim *v)
{
    version_of(v)->hash_tree = first_tree;
    fix_entry(v);
}

static const void *page_of_tree(void *ctx, uint32_t page)
{
    const struct victim *v = ctx;

    return page_bytes(v->tree, page);
}

/* A copy of the tree that programs may write. */
static void take_writable_tree(const struct victim *v)
{
    struct store_create create = { .nonce = { 0x7a3e, 1 }, .perms = TWZ_READ | TWZ_WRITE };
    struct victim copy = *v;
    struct store_page p = { .page = 1 };
    uint32_t row;
    objid_t id;
    int err = store_obj_create(store, &create, &row, &id);

    for (; err == 0 && store_page_next(store, v->tree, &p) == 0; p.page++)
        err = store_page_add_many(store, row, p.page, 1, page_of_tree, &copy);
    if (err < 0)
        fail("a tree cannot be copied");
    version_of(v)->hash_tree = id;
    fix_entry(v);
}

static void delete_tree(const struct victim *v)
{
    if (store_obj_delete(store, v->tree, NULL, NULL) < 0 || store_obj_release(store, v->tree) < 0)
        fail("a tree cannot be deleted");
}

static void unseal(const struct victim *v)
{
    version_of(v)->flags = 0;
    fix_entry(v);
}

static void change_page_and_node(const struct victim *v)
{
    change_page(v);
    fix_digest(v, 0, 1, page_bytes(v->row, 1));
}

static void change_whole_path(const struct victim *v)
{
    change_page_and_node(v);
    fix_digest(v, 1, 0, page_bytes(v->tree, TREE_PAGE_LEVEL0));
    fix_digest(v, 2, 0, page_bytes(v->tree, TREE_PAGE_LEVEL1));
    tree_root(v->at.entry->identity.seal, page_bytes(v->tree, TREE_PAGE_TOP));
    fix_entry(v);
}

static void (*const changes[])(const struct victim *v) = {
    change_nothing,
    change_page,
    change_page_far_away,
    remove_page,
    add_page,
    swap_pages,
    change_node_0,
    change_node_1,
    change_top,
    add_write,
    change_root,
    take_other_tree,
    unseal,
    change_page_and_node,
    change_whole_path,
    take_writable_tree,
    delete_tree,
};

static void find_victim(objid_t id, struct victim *v)
{
    struct store_stat stat;

    if (store_lookup(store, id, &v->row) < 0 || store_obj_info(store, v->row, &stat) < 0 ||
        store_lookup(store, stat.hash_tree, &v->tree) < 0)
        fail("a sealed object is missing");
    if (objid_is_none(first_tree))
        first_tree = stat.hash_tree;
    cursor_set(&v->at, store, v->row);
}

int main(int argc, char **argv)
{
    uint32_t names;
    objid_t id;

    if (argc != 2)
        fail("usage: tamper POOL");
    open_pool(argv[1]);
    if (store_lookup(store, store_super_get(store)->roots.names, &names) < 0)
        fail("there is no name root");
    for (size_t n = 0; n < sizeof(changes) / sizeof(changes[0]); n++) {
        struct victim v;

        memcpy(&id, page_bytes(names, 1) + 8 + n * sizeof(id), sizeof(id));
        find_victim(id, &v);
        changes[n](&v);
    }
    store_close(store);
    return 0;
}

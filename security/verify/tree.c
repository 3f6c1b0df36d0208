/* SPDX-License-Identifier: MIT */
#include <lib/string.h>
#include <verify/tree.h>

/* HASH_PERSON bytes each. */
static const char persons[TREE_LEVELS][HASH_PERSON + 1] = { "twz sealed page\0",
                                                            "twz seal node 1\0",
                                                            "twz seal node 2\0" };
#define PERSON_ROOT "twz sealed root\0"
#define PERSON_ID   "twz sealed id\0\0\0"

static const uint32_t first_page[TREE_LEVELS] = { TREE_PAGE_LEVEL0, TREE_PAGE_LEVEL1,
                                                  TREE_PAGE_TOP };

uint32_t tree_page_of(unsigned level, uint32_t index, uint32_t *offset)
{
    *offset = index % TREE_FANOUT * TREE_DIGEST;
    return first_page[level] + index / TREE_FANOUT;
}

void tree_hash_begin(struct tree_hash *hash, unsigned level)
{
    hash_init_person(&hash->hash, TREE_DIGEST, persons[level]);
    hash->any = 0;
}

void tree_hash_add(struct tree_hash *hash, const void *part, size_t len)
{
    const uint64_t *words = part;

    for (size_t i = 0; i < len / sizeof(*words); i++)
        hash->any |= words[i];
    hash_update(&hash->hash, part, len);
}

void tree_hash_end(struct tree_hash *hash, uint8_t digest[TREE_DIGEST])
{
    hash_final(&hash->hash, digest, TREE_DIGEST);
    if (!hash->any)
        memset(digest, 0, TREE_DIGEST);
}

void tree_digest(uint8_t digest[TREE_DIGEST], unsigned level, const void *content)
{
    struct tree_hash hash;

    tree_hash_begin(&hash, level);
    tree_hash_add(&hash, content, TREE_NODE);
    tree_hash_end(&hash, digest);
}

void tree_root(uint8_t root[TREE_DIGEST], const void *top)
{
    struct hash hash;

    hash_init_person(&hash, TREE_DIGEST, PERSON_ROOT);
    hash_update(&hash, top, TREE_TOP * TREE_DIGEST);
    hash_final(&hash, root, TREE_DIGEST);
}

objid_t tree_objid(const uint64_t nonce[2], uint32_t perms, objid_t kuid,
                   const uint8_t root[TREE_DIGEST])
{
    struct hash hash;
    objid_t id;

    hash_init_person(&hash, sizeof(id), PERSON_ID);
    hash_update(&hash, nonce, 2 * sizeof(nonce[0]));
    hash_update(&hash, &perms, sizeof(perms));
    hash_update(&hash, &kuid, sizeof(kuid));
    hash_update(&hash, root, TREE_DIGEST);
    hash_final(&hash, &id, sizeof(id));
    return id;
}

/* --- building --------------------------------------------------------------------------------- */

/* The open node of a level: its number among the nodes of that level. */
static uint32_t open_node(const struct tree_build *build, unsigned level)
{
    return build->at >> (TREE_SHIFT * (level + 1));
}

/* Hashes a part of the present page (level 0) or node. Returns true if it was the last one; the
 * digest is then in the open node of its level, or in `top`. */
static bool hash_part(struct tree_build *build, unsigned level, uint32_t index, const void *part)
{
    uint8_t *digests = level < TREE_LEVELS - 1 ? build->node[level] : build->top;
    uint8_t digest[TREE_DIGEST];

    if (build->done == 0)
        tree_hash_begin(&build->hash, level);
    tree_hash_add(&build->hash, part, TREE_STEP);
    build->done += TREE_STEP;
    if (build->done < TREE_NODE)
        return false;
    tree_hash_end(&build->hash, digest);
    memcpy(digests + index % TREE_FANOUT * TREE_DIGEST, digest, TREE_DIGEST);
    if (build->hash.any && level < TREE_LEVELS - 1)
        build->used[level] = true;
    return true;
}

enum tree_step tree_build_next(struct tree_build *build, uint32_t page)
{
    for (; build->closing < TREE_LEVELS - 1; build->closing++) {
        unsigned level = build->closing;
        uint32_t index = open_node(build, level);

        if (page >> (TREE_SHIFT * (level + 1)) == index)
            break;
        if (build->done == TREE_NODE)
            return TREE_FULL;
        if (!build->used[level])
            continue;
        (void)hash_part(build, level + 1, index, build->node[level] + build->done);
        return TREE_AGAIN;
    }
    build->closing = 0;
    build->at = page;
    if (page < TREE_LEAVES)
        return TREE_PART;
    memcpy(build->node[0], build->top, sizeof(build->top));
    return TREE_DONE;
}

bool tree_build_part(struct tree_build *build, const void *part)
{
    bool last = hash_part(build, 0, build->at, part);

    if (last)
        build->done = 0;
    return last;
}

uint32_t tree_build_page(const struct tree_build *build)
{
    return first_page[build->closing] + open_node(build, build->closing);
}

void tree_build_stored(struct tree_build *build)
{
    memset(build->node[build->closing], 0, TREE_NODE);
    build->used[build->closing] = false;
    build->done = 0;
    build->closing++;
}

/* SPDX-License-Identifier: MIT */
/*
 * The ku of two public keys as a sealed object: page 1 begins with struct sec_ku, the metadata page
 * says its size, and nothing else is there. So its ID, the kuid, follows from the keys and the
 * label alone. Pure functions; none blocks or allocates.
 */
#ifndef SIGN_KU_H
#define SIGN_KU_H

#include <format.h>
#include <stdbool.h>
#include <verify/tree.h>

#define KU_PERMS TWZ_READ /* default permissions of a ku */

/* The pages of a ku: page 1 and TWZ_PAGE_META. */
struct ku_page {
    uint32_t number;
    _Alignas(16) uint8_t bytes[TWZ_PAGE_SIZE];
};
#define KU_PAGES 2u
void ku_pages(const struct sec_ku *ku, struct ku_page page[KU_PAGES]);

/* Makes the hash tree: `store` (which may be NULL) gets each page of the tree object, in rising
 * order of levels. It must return 0, or a negative error, which ends the function. */
typedef int (*ku_store)(void *ctx, uint32_t page, const void *bytes);
int ku_tree(const struct ku_page page[KU_PAGES], uint8_t root[TREE_DIGEST], ku_store store,
            void *ctx);

/* The kuid. */
objid_t ku_objid(const struct sec_ku *ku);

#endif

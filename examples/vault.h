/* SPDX-License-Identifier: MIT */
/* The password vault: declarations for both of its processes. */
#ifndef VAULT_H
#define VAULT_H

#include <twz/gate.h>

#define VAULT_SERVICE "/data/vault.service"
#define VAULT_DATA    "/data/vault"
#define VAULT_NAME    32u
#define VAULT_SECRET  96u

/* A name and a secret on their way, at the base of an object of the caller's. Both end with a 0. */
struct vault_message {
    char name[VAULT_NAME];
    char secret[VAULT_SECRET];
};

/* Make the calling process the keeper, whose gates can be called (vault-keeper.c). 0 or -TWZ_E*. */
int vault_start(void);

/* The gates. A message is passed by the two words of its object's ID. */
TWZ_GATE(0, vault_put, uint64_t, uint64_t)    /* keeps the secret under that name */
TWZ_GATE(1, vault_get, uint64_t, uint64_t)    /* fills in the secret of that name */
TWZ_GATE(2, vault_remove, uint64_t, uint64_t) /* forgets the name */
TWZ_GATE(3, vault_count)                      /* how many names there are */
TWZ_GATE(4, vault_check)                      /* 1: the data are sound */

#endif

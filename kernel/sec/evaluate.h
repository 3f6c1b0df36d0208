/* SPDX-License-Identifier: MIT */
/* The rights of a context, as a part of a decision. */
#ifndef SEC_EVALUATE_H
#define SEC_EVALUATE_H

#include <kernel/sec.h>

/* A decision in progress. */
struct evaluation {
    struct object *obj;
    bool has_gate;       /* the decision is for a gate call ... */
    uint64_t gate;       /* ... to this offset */
    unsigned looks;      /* contexts looked at so far */
    unsigned candidates; /* capabilities looked at so far */
    uint64_t until;      /* the decision may change then; seconds of security time; 0: never */
    int err;             /* -TWZ_EAGAIN: a signature is being checked; -TWZ_ENOMEM */
};

/* The rights of a context with its bases on e->obj. `depth` counts the contexts that the rights
 * have passed through. */
unsigned evaluate(struct evaluation *e, struct context *context, unsigned depth);

/* Those that default permissions give it. */
unsigned evaluate_default(struct context *context, const struct object *obj);

#endif

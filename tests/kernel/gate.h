/* SPDX-License-Identifier: MIT */
/* What the tests of gates share: a service in a view of its own, and calls of it (gate.c). */
#ifndef TESTS_GATE_H
#define TESTS_GATE_H

#include <twz/service.h>
#include "user.h"

#define SLOT_FRAMES  110u       /* the call frames, in the service's view and in the test's */
#define SLOT_WORDS   111u       /* the SERVICE object, in the test's view */
#define FRAME_STRIDE 0x10000ull /* from the bottom: thread page, a free page, TLS, ..., stack */
#define FRAME_BASE   (TWZ_SLOT_ADDR(SLOT_FRAMES) + 16 * TWZ_PAGE_SIZE)
#define GATE_ALIGN   16u

struct gate_service {
    objid_t id;
    objid_t view;
    struct twz_service *words; /* the object's base */
};

/* Makes a service with that many call frames, whose entries are the table below; attaches it to
 * *dir. `secret` is mapped in its view at SLOT_TEST. */
struct gate_service gate_service(uint32_t frames, objid_t secret);
void gate_delete(const struct gate_service *s); /* the service with its view and frames */
long gate_attach(objid_t service);              /* to the root KSO; the index */
long gate_detach(objid_t service);

/* The entries of the services: offset = GATE_ALIGN * index. */
enum {
    GATE_ARGS,   /* a + 2 b + 3 c */
    GATE_SECRET, /* the first word at SLOT_TEST of the service's view */
    GATE_DUMP,   /* saves all registers in the frame's pages; its rsp */
    GATE_RUN,    /* calls the function a with b and c */
    GATE_ENTRIES
};

/* A call; *value: the callee's, unless it is NULL. */
long gate_call(objid_t service, uint64_t offset, uint64_t a, uint64_t b, uint64_t c,
               uint64_t *value);
/* GATE_RUN of fn(b, c): its value, or the error, which must not look like a value. */
long gate_run(const struct gate_service *s, uint64_t (*fn)(uint64_t b, uint64_t c), uint64_t b,
              uint64_t c);

/* All registers around one gate_call: loaded from `in`, stored to `out`. */
struct gate_regs {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t flags, fsbase, gsbase;
};
struct gate_probe {
    struct gate_regs in, out;
    uint64_t pad[26];
    uint8_t vector_in[3072]; /* XSAVE images */
    uint8_t vector_out[3072];
};
_Static_assert(__builtin_offsetof(struct gate_probe, vector_in) % 64 == 0, "XSAVE needs that");
void gate_probe(struct gate_probe *p);
/* Where GATE_DUMP of frame i leaves its registers, in the test's view. */
static inline const struct gate_regs *gate_dump_regs(unsigned i)
{
    return (const struct gate_regs *)(FRAME_BASE + i * FRAME_STRIDE + 1024);
}

static inline const uint8_t *gate_dump_vector(unsigned i)
{
    return (const uint8_t *)(FRAME_BASE + i * FRAME_STRIDE + TWZ_PAGE_SIZE);
}

static inline struct twz_thread *gate_frame_page(unsigned i)
{
    return (struct twz_thread *)(FRAME_BASE + i * FRAME_STRIDE);
}

#endif

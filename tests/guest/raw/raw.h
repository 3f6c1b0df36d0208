/* SPDX-License-Identifier: MIT */
/*
 * The runtime of first programs on the kernel's calls alone: no library, the stack and the fixed
 * slots that the kernel provides. A program must have no writable data, because it is mapped in
 * place and never copied. The result of raw_main is the command's status; raw_arg(n) are its words.
 */
#ifndef RAW_H
#define RAW_H

#include <twz/device.h>
#include <twz/hostlink.h>
#include <twz/kso.h>
#include <twz/syscall.h>
#include <twz/view.h>

#define RAW_TEXT_MAX 4096u

struct raw {
    uint32_t argc;
    char text[RAW_TEXT_MAX]; /* the words, each with a zero byte at its end */
};

int raw_main(struct raw *raw);

#define RAW_SYSTEM ((const struct twz_system *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_BASE))
#define RAW_VIEW   raw_view()

/* The start of the program's view object, which its thread's page names. */
static inline uint64_t raw_view(void)
{
    const struct twz_thread *self;

    __asm__("mov %%gs:0, %0" : "=r"(self));
    return self->view;
}

#define RAW_SLOT_FIRST 64u /* first slot that a test may use */

/* The words of a port: the kernel's, user code's, and the object that has them. */
const struct twz_port *raw_port(unsigned port);
struct twz_port_user *raw_port_user(unsigned port);
objid_t raw_device(unsigned port);

int64_t raw_call(unsigned number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                 uint64_t f);

/* Word n of the command, "" if there is none. */
const char *raw_arg(const struct raw *raw, uint32_t n);
uint64_t raw_number(const char *text); /* decimal */
objid_t raw_id(const char *text);      /* 32 hexadecimal digits */

/* Maps an object in a slot of the program's view. */
void raw_map(uint32_t slot, objid_t id, unsigned rights);

/* Makes [at, at + len) durable on return. */
void raw_persist(const void *at, uint64_t len);

/* Writes to the command's standard output. */
void raw_say(const char *text);
void raw_say_number(uint64_t n);

/* Returns the result of a call. If it is an error, ends the command with a message. */
int64_t raw_must(int64_t result, const char *what);

/* Ends the command. */
__attribute__((noreturn)) void raw_exit(int status);

#endif

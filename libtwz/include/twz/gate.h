/* SPDX-License-Identifier: MIT */
/*
 * Gates: functions of one program that other programs call, in the view and security context of the
 * one that has them (twz/service.h). Neither side can touch the other's memory.
 *
 * A header that both sides include declares each function, with up to three 64-bit integers:
 *
 *     TWZ_GATE(0, counter_add, uint64_t)
 *     TWZ_GATE(1, counter_get)
 *
 * The service defines them, lists them, and starts:
 *
 *     int64_t counter_add_gate(uint64_t n) { ... }
 *     int64_t counter_get_gate(void) { ... }
 *     static const twz_gate_fn counter[] = { TWZ_GATE_ENTRY(counter_add),
 *                                            TWZ_GATE_ENTRY(counter_get) };
 *     struct twz_service_spec spec = { .gates = counter, .ngates = 2, .name = "/data/counter" };
 *     err = twz_service_start(&spec, &id);
 *
 * A caller opens it and calls:
 *
 *     err = twz_service_open("/data/counter", &gates);
 *     value = counter_add(&gates, 5);
 *
 * A gated function returns a value >= 0 or -TWZ_E*; its caller gets that, or the kernel's error:
 * -TWZ_EAGAIN (all call frames of the caller's account are in use), -TWZ_EDIED (the function ended
 * by a fault or an exit), or another one of gate_call.
 *
 * A gated function runs on a call frame of the service: with a stack of its own, no catch, and an
 * owner of locks of its own. Any number may run at a time. A caller may be killed at any
 * instruction inside; a lock that is held then goes to the next thread with TWZ_MUTEX_DIED
 * (twz/mutex.h). In a program with musl, a gated function must not call functions of the C library
 * that have state: there is none for a call frame. It must not trust its arguments. Data in an
 * object of the caller must be copied before they are checked, because the caller's other threads
 * can store there meanwhile.
 */
#ifndef TWZ_GATE_H
#define TWZ_GATE_H

#include <twz/obj.h>
#include <twz/service.h>

/* An open service. */
struct twz_gates {
    objid_t id;
};

/* Open the service with that name. -TWZ_ETYPE if the name leads to another object; an error of
 * twz_name_resolve. */
TWZ_CHECKED int twz_service_open(const char *name, struct twz_gates *gates);

/* Call the gate with that index. Returns what the gated function returns, or an error. */
int64_t twz_gate_call(const struct twz_gates *gates, uint64_t index, uint64_t a, uint64_t b,
                      uint64_t c);

/* The same, and tell the two apart: returns 0 with the function's value in *value, or the kernel's
 * error. */
TWZ_CHECKED int twz_gate_call_value(const struct twz_gates *gates, uint64_t index, uint64_t a,
                                    uint64_t b, uint64_t c, int64_t *value);

/* --- a service -------------------------------------------------------------------------------- */

#define TWZ_GATES_MAX 64u /* gates of one service, at most */

typedef void (*twz_gate_fn)(void); /* a gated function, whatever its arguments */

struct twz_service_spec {
    const twz_gate_fn *gates; /* by index; it must stay where it is */
    uint64_t ngates;
    const char *name;    /* of the service's object; NULL: none */
    objid_t sctx;        /* the security context of the calls; 0: the caller's */
    uint32_t frames;     /* calls at a time, 1024 at most; 0: 32 */
    uint32_t reserve;    /* frames for accounts without a call in progress, less than `frames` */
    uint32_t priority;   /* calls run at no less; at most the caller's */
    uint32_t pad;        /* 0 */
    uint64_t stack_size; /* bytes of each frame's stack; 0: 64 KiB */
};

/* Make the gates callable, until the caller's view is deleted. *id is the service's object: that of
 * the name, which is made if there is none and stays over boots, or a new volatile one. Callers
 * need EXEC on it. -TWZ_EBUSY if the service runs already; -TWZ_ETYPE if the name leads to another
 * object; -TWZ_EINVAL, or an error of twz/obj.h, of kso_attach or of twz_name_reassign. */
TWZ_CHECKED int twz_service_start(const struct twz_service_spec *spec, objid_t *id);

/*
 * Map an object in the call frame's window, instead of the object that was there; 0 rights: unmap
 * it. Only for a gated function, which must use this for the objects of its callers: a caller may
 * be killed inside, and handles that are open then stay open. Returns the address of the object's
 * data. Access to them faults if the object does not exist, or without the rights; such a fault may
 * come at any time, since the object is the caller's.
 */
void *twz_gate_window(objid_t id, uint32_t rights);

/* --- declarations ----------------------------------------------------------------------------- */

/* TWZ_GATE(index, name, types...) declares name_gate(types...), the gated function, and defines
 * name(gates, values...), which calls it. */
#define TWZ_GATE(index, ...) TWZ_GATE_PICK(__VA_ARGS__, 3, 2, 1, 0, 0)(index, __VA_ARGS__)

/* The definition for that number of arguments. */
#define TWZ_GATE_PICK(name, a, b, c, count, ...) TWZ_GATE_##count

#define TWZ_GATE_ENTRY(name) [name##_index] = (twz_gate_fn)name##_gate

#define TWZ_GATE_BOTH(index, name, ...) \
    int64_t name##_gate(__VA_ARGS__);   \
    enum { name##_index = (index) };
#define TWZ_GATE_WIDE(type) _Static_assert(sizeof(type) == 8, "arguments of gates have 64 bits");

#define TWZ_GATE_0(index, name)                               \
    TWZ_GATE_BOTH(index, name, void)                          \
    static inline int64_t name(const struct twz_gates *gates) \
    {                                                         \
        return twz_gate_call(gates, index, 0, 0, 0);          \
    }
#define TWZ_GATE_1(index, name, type_a)                                 \
    TWZ_GATE_WIDE(type_a)                                               \
    TWZ_GATE_BOTH(index, name, type_a)                                  \
    static inline int64_t name(const struct twz_gates *gates, type_a a) \
    {                                                                   \
        return twz_gate_call(gates, index, (uint64_t)a, 0, 0);          \
    }
#define TWZ_GATE_2(index, name, type_a, type_b)                                   \
    TWZ_GATE_WIDE(type_a)                                                         \
    TWZ_GATE_WIDE(type_b)                                                         \
    TWZ_GATE_BOTH(index, name, type_a, type_b)                                    \
    static inline int64_t name(const struct twz_gates *gates, type_a a, type_b b) \
    {                                                                             \
        return twz_gate_call(gates, index, (uint64_t)a, (uint64_t)b, 0);          \
    }
#define TWZ_GATE_3(index, name, type_a, type_b, type_c)                                     \
    TWZ_GATE_WIDE(type_a)                                                                   \
    TWZ_GATE_WIDE(type_b)                                                                   \
    TWZ_GATE_WIDE(type_c)                                                                   \
    TWZ_GATE_BOTH(index, name, type_a, type_b, type_c)                                      \
    static inline int64_t name(const struct twz_gates *gates, type_a a, type_b b, type_c c) \
    {                                                                                       \
        return twz_gate_call(gates, index, (uint64_t)a, (uint64_t)b, (uint64_t)c);          \
    }

#endif

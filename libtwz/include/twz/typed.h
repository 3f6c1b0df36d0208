/* SPDX-License-Identifier: MIT */
/*
 * The typed layer: persistent data as C structs, with the compiler watching over the pointers.
 *
 *     struct node { twz_ref(struct node) next; uint64_t value; };
 *     struct list { twz_ref(struct node) head; uint64_t length; };
 *
 *     const struct list *l = twz_open("/data/list", struct list, TWZ_CREATE);
 *     struct node *n = twz_new(l, struct node);        // room in the same object
 *     n->value = 7;
 *     twz_init(n->next, twz_at_or_null(l->head));      // not published yet: plain stores
 *     twz_persist(n, sizeof(*n));
 *     twz_set(l->head, n);                             // one word: the node is in the list
 *
 * What an open object's data look like is const: a plain store into it does not compile; twz_put
 * and twz_set store one word each, atomically and durably. A twz_ref holds a p-ptr that only
 * twz_at turns into an address; dereferencing it, copying it into another field, or setting it to
 * an object of another type does not compile either. A reference may cross objects.
 *
 * GNU C (statement expressions, typeof); gcc and clang.
 */
#ifndef TWZ_TYPED_H
#define TWZ_TYPED_H

#include <twz/name.h>
#include <twz/persist.h>
#include <twz/ptr.h>

/* A reference to a T, eight bytes. `pointee_` is there for its type only. */
#define twz_ref(T)              \
    union {                     \
        const twz_pptr_t pptr_; \
        T *const pointee_;      \
    }

#define TWZ_CREATE 1u /* make the object where there is none; its data are zero */

/*
 * The data of the object at `path`, a const T *, or NULL: twz_error_last() says why. The type's
 * fingerprint is kept in the object: one made for another type, or another size of it, is
 * -TWZ_ETYPE. Opened READ | WRITE; stays open until the program ends.
 */
#define twz_open(path, T, flags) \
    ((const T *)twz_open_typed((path), TWZ_TYPE_PRINT(T), sizeof(T), (flags)))

/* The address behind a reference field, a const T *; faults where it is null. */
#define twz_at(field) ((const __typeof__(*(field).pointee_) *)twz_ptr_lea(&(field), (field).pptr_))

/* The same, but NULL where it is null. */
#define twz_at_or_null(field) (twz_isnull(field) ? NULL : twz_at(field))

#define twz_isnull(field) ((field).pptr_.raw == 0)

/* Point the field at `target` (a T * or NULL); durable on return. 0 or -TWZ_E*. Make what it points
 * at durable before. */
#define twz_set(field, target)                                        \
    __extension__({                                                   \
        TWZ_SAME_TYPE_(field, target);                                \
        twz_ref_set((const twz_pptr_t *)&(field).pptr_, (target), 1); \
    })

/* As twz_set in memory that nothing refers to yet: not flushed. */
#define twz_init(field, target)                                       \
    __extension__({                                                   \
        TWZ_SAME_TYPE_(field, target);                                \
        twz_ref_set((const twz_pptr_t *)&(field).pptr_, (target), 0); \
    })

/* Store one value of 1, 2, 4 or 8 bytes into a field; atomic, durable on return. */
#define twz_put(field, value)                                                            \
    __extension__({                                                                      \
        const __typeof__(field) twz_value_ = (value);                                    \
        _Static_assert(sizeof(field) == 1 || sizeof(field) == 2 || sizeof(field) == 4 || \
                           sizeof(field) == 8,                                           \
                       "twz_put stores one word");                                       \
        twz_put_word((const void *)&(field), &twz_value_, sizeof(field));                \
    })

/* Room for a T behind the size of the object that `in` points into: zero, not referred to, never
 * given out again. NULL: no room (twz_error_last). A power cut before it is linked loses it. */
#define twz_new(in, T) ((T *)twz_new_room((in), sizeof(T), _Alignof(T)))

/* Why the last twz_open or twz_new of this thread gave NULL: -TWZ_E*. */
int twz_error_last(void);

/* --- underneath ---------------------------------------------------------------------------- */

#define TWZ_TYPE_PRINT(T) twz_type_print(#T, sizeof(T))

#define TWZ_SAME_TYPE_(field, target)                                                         \
    _Static_assert(                                                                           \
        __builtin_types_compatible_p(__typeof__(*(target)), __typeof__(*(field).pointee_)) || \
            __builtin_types_compatible_p(__typeof__(*(target)),                               \
                                         const __typeof__(*(field).pointee_)) ||              \
            __builtin_types_compatible_p(__typeof__(target), __typeof__(NULL)),               \
        "the reference is to another type")

/* FNV-1a over the type's name and size; never 0. */
uint64_t twz_type_print(const char *name, uint64_t size);
const void *twz_open_typed(const char *path, uint64_t type, uint64_t size, uint32_t flags);
int twz_ref_set(const twz_pptr_t *field, const void *target, int durable);
void twz_put_word(const void *field, const void *value, size_t size);
void *twz_new_room(const void *in, uint64_t size, uint64_t align);

#endif

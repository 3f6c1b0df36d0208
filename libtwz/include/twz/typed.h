/* SPDX-License-Identifier: MIT */
/*
 * The typed layer: persistent data as C structs, with pointers that the compiler checks.
 *
 *     struct node { twz_ref(struct node) next; uint64_t value; };
 *     struct list { twz_ref(struct node) head; uint64_t length; };
 *
 *     const struct list *l = twz_open("/data/list", struct list, TWZ_CREATE);
 *     struct node *n = twz_new(l, struct node);        // space in the same object
 *     n->value = 7;
 *     twz_init(n->next, twz_at_or_null(l->head));      // not published yet: plain stores
 *     twz_persist(n, sizeof(*n));
 *     twz_set(l->head, n);                             // one word: the node is in the list
 *
 * The data of an open object are const: a plain store does not compile. twz_put and twz_set store
 * one word each, atomically and durably. A twz_ref holds a p-ptr, and only twz_at makes an address
 * of it. It does not compile to dereference it, to copy it into another field, or to set it to an
 * object of another type. A reference may lead to another object.
 *
 * Needs GNU C (statement expressions, typeof): gcc or clang.
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

#define TWZ_CREATE 1u /* make the object if it does not exist; its data are zero */

/*
 * The data of the object at `path`, a const T *; NULL on an error, with the error in
 * twz_error_last(). The object holds the fingerprint of its type: -TWZ_ETYPE if it was made for
 * another type, or for another size of it. Open READ | WRITE until the program ends.
 */
#define twz_open(path, T, flags) \
    ((const T *)twz_open_typed((path), TWZ_TYPE_PRINT(T), sizeof(T), (flags)))

/* The address that a reference field leads to, a const T *; a fault if it is null. */
#define twz_at(field) ((const __typeof__(*(field).pointee_) *)twz_ptr_lea(&(field), (field).pptr_))

/* As twz_at, but NULL if the reference is null. */
#define twz_at_or_null(field) (twz_isnull(field) ? NULL : twz_at(field))

#define twz_isnull(field) ((field).pptr_.raw == 0)

/* Point the field at `target`, a T * or NULL. 0 or -TWZ_E*. The target must be durable before; the
 * reference is durable on return. */
#define twz_set(field, target)                                        \
    __extension__({                                                   \
        TWZ_SAME_TYPE_(field, target);                                \
        twz_ref_set((const twz_pptr_t *)&(field).pptr_, (target), 1); \
    })

/* As twz_set, but not flushed: for memory that nothing refers to yet. */
#define twz_init(field, target)                                       \
    __extension__({                                                   \
        TWZ_SAME_TYPE_(field, target);                                \
        twz_ref_set((const twz_pptr_t *)&(field).pptr_, (target), 0); \
    })

/* Store a value of 1, 2, 4 or 8 bytes into a field, atomically; durable on return. */
#define twz_put(field, value)                                                            \
    __extension__({                                                                      \
        const __typeof__(field) twz_value_ = (value);                                    \
        _Static_assert(sizeof(field) == 1 || sizeof(field) == 2 || sizeof(field) == 4 || \
                           sizeof(field) == 8,                                           \
                       "twz_put stores one word");                                       \
        twz_put_word((const void *)&(field), &twz_value_, sizeof(field));                \
    })

/* Zeroed space for a T, behind the size of the object that `in` points into. It is never given out
 * again: a power failure before it is linked loses it. NULL on an error (twz_error_last). */
#define twz_new(in, T) ((T *)twz_new_space((in), sizeof(T), _Alignof(T)))

/* The error of this thread's last twz_open or twz_new that returned NULL: -TWZ_E*. */
int twz_error_last(void);

/* --- used by the macros -------------------------------------------------------------------- */

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
void *twz_new_space(const void *in, uint64_t size, uint64_t align);

#endif

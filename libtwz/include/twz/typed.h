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
 *     twz_init(n->next, twz_at_or_null(l->head));      // not in the list yet: plain stores
 *     twz_persist(n, sizeof(*n));
 *     twz_set(l->head, n);                             // one word: the node is in the list
 *
 * The data of an open object are const, so a plain store to them does not compile. twz_put and
 * twz_set store one word each. The store is atomic, and durable on return. A twz_ref is a field
 * that holds a p-ptr. Only twz_at makes an address of it; a reference may lead to another object. A
 * program does not compile if it
 *   - dereferences a twz_ref without twz_at;
 *   - copies a twz_ref to another field;
 *   - sets a twz_ref to an object of another type.
 *
 * Any thread may call these macros, and needs no lock. twz_open may wait for the lock of a
 * directory (twz/name.h). They need GNU C (statement expressions, typeof): gcc or clang.
 */
#ifndef TWZ_TYPED_H
#define TWZ_TYPED_H

#include <twz/name.h>
#include <twz/persist.h>
#include <twz/ptr.h>

/* The type of a reference to a T. It has eight bytes. `pointee_` only carries the type. */
#define twz_ref(T)              \
    union {                     \
        const twz_pptr_t pptr_; \
        T *const pointee_;      \
    }

#define TWZ_CREATE 1u /* make the object if it does not exist; its data are zero */

/*
 * Open the object at `path` with TWZ_READ | TWZ_WRITE. Returns the address of its data, a const T
 * *, which is valid until the program ends. Returns NULL on an error; twz_error_last() is the
 * error. An object holds the fingerprint of the type for which it was made: -TWZ_ETYPE if this is
 * not T, or if the size of T has changed. -TWZ_EISDIR if it is a directory.
 */
#define twz_open(path, T, flags) \
    ((const T *)twz_open_typed((path), TWZ_TYPE_PRINT(T), sizeof(T), (flags)))

/* Resolve a reference field. Returns a const T *. Raises a fault if the reference does not resolve,
 * or is null. */
#define twz_at(field) ((const __typeof__(*(field).pointee_) *)twz_ptr_lea(&(field), (field).pptr_))

/* As twz_at, but returns NULL if the reference is null. */
#define twz_at_or_null(field) (twz_isnull(field) ? NULL : twz_at(field))

#define twz_isnull(field) ((field).pptr_.raw == 0)

/* Make the field refer to `target`, a T * or NULL. The caller must make the target durable before.
 * The reference is durable on return. Returns 0 or -TWZ_E*. */
#define twz_set(field, target)                                        \
    __extension__({                                                   \
        TWZ_SAME_TYPE_(field, target);                                \
        twz_ref_set((const twz_pptr_t *)&(field).pptr_, (target), 1); \
    })

/* As twz_set, without a flush. The field must lie in memory to which nothing refers yet. The caller
 * must flush it. */
#define twz_init(field, target)                                       \
    __extension__({                                                   \
        TWZ_SAME_TYPE_(field, target);                                \
        twz_ref_set((const twz_pptr_t *)&(field).pptr_, (target), 0); \
    })

/* Store a value of 1, 2, 4 or 8 bytes to a field with one atomic store. It is durable on return. */
#define twz_put(field, value)                                                            \
    __extension__({                                                                      \
        const __typeof__(field) twz_value_ = (value);                                    \
        _Static_assert(sizeof(field) == 1 || sizeof(field) == 2 || sizeof(field) == 4 || \
                           sizeof(field) == 8,                                           \
                       "twz_put stores one word");                                       \
        twz_put_word((const void *)&(field), &twz_value_, sizeof(field));                \
    })

/*
 * Claim space for a T in the object into which `in` points. The space begins at the object's size
 * (twz_object_size), which grows by it. An object from twz_object_new or twz_name_create has size
 * 0: the caller must set the size to cover all data in use before. twz_open does this for its T.
 *
 * Returns the address of the space, which is zeroed. The space is never free again, so a power
 * failure before a reference leads to it leaks it. Returns NULL on an error; twz_error_last() is
 * the error. -TWZ_EINVAL if the size does not cover the address `in`, -TWZ_EFULL if a T does not
 * fit behind the size, or an error of twz_touch.
 */
#define twz_new(in, T) ((T *)twz_new_space((in), sizeof(T), _Alignof(T)))

/* Returns the error, -TWZ_E*, of the last twz_open or twz_new of this thread that returned NULL. */
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

/* Returns the FNV-1a hash of the type's name and size, but never 0. */
uint64_t twz_type_print(const char *name, uint64_t size);
const void *twz_open_typed(const char *path, uint64_t type, uint64_t size, uint32_t flags);
int twz_ref_set(const twz_pptr_t *field, const void *target, int durable);
void twz_put_word(const void *field, const void *value, size_t size);
void *twz_new_space(const void *in, uint64_t size, uint64_t align);

#endif

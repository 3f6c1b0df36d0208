/* SPDX-License-Identifier: MIT */
/*
 * Guards: an operation on objects that other programs may write, deny or destroy. A load or store
 * may fault in the midst of it: a page is a hole, poisoned or protected, or the object is gone.
 * Such a fault ends the operation with an error. The guard then releases the locks that the
 * operation holds and the handles that it opened. So data that a guarded operation changes must be
 * valid after each store, or their next owner must repair them, as after the death of a thread.
 *
 *     int f(const twzobj *obj)
 *     {
 *         return TWZ_GUARDED(unguarded_f(obj));
 *     }
 *
 * Only faults in objects that the guard knows count: those that the operation opened or watches.
 * Any other fault, as in a buffer of the caller, goes on to the outer catch, the handlers or the
 * kernel; the locks are released before. Guards may nest. Each belongs to the thread that began it.
 */
#ifndef TWZ_GUARD_H
#define TWZ_GUARD_H

#include <twz/faults.h>
#include <twz/mutex.h>

#define TWZ_GUARD_LOCKS   8u
#define TWZ_GUARD_OBJECTS 12u
#define TWZ_GUARD_WATCHED 8u

struct twz_guard {
    struct twz_catch fault;
    struct twz_guard *outer;
    uint32_t locks;
    uint32_t objects;
    uint32_t watched;
    int32_t error; /* that ends the operation; 0: a fault does */
    struct twz_mutex *lock[TWZ_GUARD_LOCKS];
    twzobj object[TWZ_GUARD_OBJECTS];
    const uint8_t *watch[TWZ_GUARD_WATCHED];
};

/* The value of `call`, an int, or the error of a fault in it: -TWZ_EDENIED, -TWZ_ENOSPC,
 * -TWZ_ENOMEM, -TWZ_EDELETED, -TWZ_EIO, or -TWZ_EBUSY of a lock (twz_guard_acquire). A local
 * variable that the caller changes in `call` has no known value after a fault. */
#define TWZ_GUARDED(call)                        \
    __extension__({                              \
        struct twz_guard guard_;                 \
        int guarded_;                            \
        if (twz_catch(&guard_.fault)) {          \
            guarded_ = twz_guard_fault(&guard_); \
        } else {                                 \
            twz_guard_begin(&guard_);            \
            guarded_ = (call);                   \
            twz_guard_end(&guard_);              \
        }                                        \
        guarded_;                                \
    })

/* For TWZ_GUARDED only. */
void twz_guard_begin(struct twz_guard *guard);
void twz_guard_end(struct twz_guard *guard);
int twz_guard_fault(struct twz_guard *guard);

/* Tell the thread's guard, if there is one, that the caller has taken or will release a lock. */
void twz_guard_lock(struct twz_mutex *mutex);
void twz_guard_unlock(struct twz_mutex *mutex);

/* Take a lock that lies in an object which other programs may write. They may store the owner word
 * of any living thread there. So if the lock is not free within TWZ_GUARD_WAIT, the operation ends
 * with -TWZ_EBUSY, as by a fault. Without a guard the wait has no bound. */
#define TWZ_GUARD_WAIT 30000000000ull /* ns */
void twz_guard_acquire(struct twz_mutex *mutex);

/* Tell the thread's guard that faults in the object count. twz_object_init_guid does so, and
 * twz_object_release ends it. */
void twz_guard_watch(const void *start);
void twz_guard_opened(const twzobj *obj);
void twz_guard_closed(const twzobj *obj);

/* Leave the thread's guard for a while, for a call of a function that is not part of the operation:
 * its faults are its own. Returns what twz_guard_enter needs to come back; may be NULL. */
struct twz_guard *twz_guard_leave(void);
void twz_guard_enter(struct twz_guard *guard);

#endif

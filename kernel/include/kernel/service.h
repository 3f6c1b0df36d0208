/* SPDX-License-Identifier: MIT */
/*
 * Services (twz/service.h): objects of kind SERVICE that are attached.
 *
 * An attached SERVICE object has a struct service, which holds what the kernel has copied at the
 * attachment. Each call in progress has a reference on it, so a service that is detached meanwhile
 * ends with its last call.
 *
 * The caller of each function must hold no lock. No function blocks.
 */
#ifndef KERNEL_SERVICE_H
#define KERNEL_SERVICE_H

#include <kernel/callframe.h>
#include <kernel/deferred.h>
#include <kernel/object.h>
#include <twz/service.h>

struct service {
    /* constant */
    objid_t id;                  /* of the SERVICE object */
    objid_t parent;              /* the directory that it is attached to, */
    uint64_t index;              /* and its index there */
    struct addrspace *addrspace; /* of its view and context, referenced */
    struct twz_service words;
    _Atomic uint32_t refs;
    struct deferred work; /* without a reference: its destruction */
    struct call_frames frames;
};

/*
 * Copies the words of a SERVICE object and checks them. priority: of the attaching thread. Errors:
 * -TWZ_EINVAL; -TWZ_EVERSION; errors of obj_read.
 */
MUST_CHECK int service_read(struct object *obj, unsigned priority, struct twz_service *words);

/*
 * Makes a service that can be called, as service_attach does, of words that service_read has
 * checked. Takes a reference on obj. Errors: -TWZ_EBUSY if obj is attached; -TWZ_EDELETED;
 * -TWZ_ETYPE if view is no view; -TWZ_ENOMEM.
 */
struct service_spec {
    struct twz_service words;
    struct object *view;
    struct context *context;
    objid_t parent;
    uint64_t index;
};
MUST_CHECK int service_attach(struct object *obj, const struct service_spec *spec);

/* Ends the attachment of obj, if there is one. Calls in progress go on to their end. */
void service_detach(struct object *obj);

/* True: obj is attached to that directory at that index. */
bool service_is_at(struct object *obj, objid_t parent, uint64_t index);

/* Returns a reference on the service of obj in *out. -TWZ_ETYPE: obj is no SERVICE; -TWZ_ENOOBJ: it
 * is not attached. */
MUST_CHECK int service_get(struct object *obj, struct service **out);
void service_put(struct service *s);

#endif

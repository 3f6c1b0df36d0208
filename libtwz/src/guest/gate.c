/* SPDX-License-Identifier: MIT */
/*
 * Services and calls of them; gate.S has the instructions. The call frames of a service lie in one
 * object, each of `stride` bytes: its thread page, a hole, its stack. So the overflow of a stack is
 * a fault. The frames are tied to the view, and end with it. A service with a name has a persistent
 * object, whose words each start writes anew.
 */
#include <twz/gate.h>
#include <twz/name.h>

#include "guest.h"

#define FRAMES_DEFAULT 32u
#define STACK_DEFAULT  (64ull << 10)
#define ENTRY_SIZE     16u
#define TLS_OFFSET     2048u /* in the thread page: zeros, so that stack protectors work */
#define SERVICE_PERMS  (TWZ_READ | TWZ_WRITE | TWZ_EXEC | TWZ_USE | TWZ_DEL)

extern const uint8_t gate_entries[] __attribute__((visibility("hidden")));
int64_t gate_enter(uint64_t number, const uint64_t arg[6], uint64_t *value);
_Noreturn void gate_leave(uint64_t value) __attribute__((visibility("hidden")));

_Static_assert(offsetof(struct twz_thread, user) == 256 && TWZ_USER_GATES == 3 &&
                   TWZ_GATES_MAX == 64 && TWZ_USER_CATCH < 3 && TWZ_USER_ERROR < 3 &&
                   TWZ_USER_GUARD < 3,
               "numbers of gate.S");

/* --- callers ---------------------------------------------------------------------------------- */

int twz_service_open(const char *name, struct twz_gates *gates)
{
    struct twz_stat stat;
    int err = twz_name_resolve(name, &gates->id);

    if (err == 0)
        err = twz_object_stat(gates->id, &stat);
    if (err == 0 && stat.kind != TWZ_KIND_SERVICE)
        err = -TWZ_ETYPE;
    return err;
}

int twz_gate_call_value(const struct twz_gates *gates, uint64_t index, uint64_t a, uint64_t b,
                        uint64_t c, int64_t *value)
{
    const uint64_t arg[] = { gates->id.lo, gates->id.hi, index * ENTRY_SIZE, a, b, c };

    *value = 0;
    if (index >= TWZ_GATES_MAX)
        return -TWZ_ERANGE;
    return (int)gate_enter(TWZ_SYS_gate_call, arg, (uint64_t *)value);
}

int64_t twz_gate_call(const struct twz_gates *gates, uint64_t index, uint64_t a, uint64_t b,
                      uint64_t c)
{
    int64_t value;
    int err = twz_gate_call_value(gates, index, a, b, c, &value);

    return err < 0 ? err : value;
}

/* --- services --------------------------------------------------------------------------------- */

/* The end of each gated function. */
void gate_leave(uint64_t value)
{
    for (;;)
        (void)twz_sys_gate_return(value);
}

void *twz_gate_window(objid_t id, uint32_t rights)
{
    uint8_t *start = (uint8_t *)(uintptr_t)twz_thread_repr_base()->user[TWZ_USER_WINDOW];
    uint32_t slot = (uint32_t)((uint64_t)(uintptr_t)start >> TWZ_OBJ_SHIFT);
    struct twz_view_entry *entry = view_entry(slot);

    if ((__atomic_load_n(&entry->flags, __ATOMIC_RELAXED) & TWZ_VE_VALID) != 0) {
        __atomic_store_n(&entry->flags, TWZ_VE_TAKEN, __ATOMIC_RELEASE);
        (void)twz_sys_kso_invalidate(view_id(), slot, 1);
    }
    if (rights != 0)
        view_entry_write(entry, id, TWZ_VE_VALID | rights);
    return start + TWZ_OBJ_BASE;
}

struct layout {
    uint32_t frames;
    uint64_t stack;  /* bytes of a stack */
    uint64_t stride; /* of a frame */
};

static int choose_layout(const struct twz_service_spec *spec, struct layout *l)
{
    uint64_t stack = spec->stack_size ? spec->stack_size : STACK_DEFAULT;

    l->frames = spec->frames ? spec->frames : FRAMES_DEFAULT;
    if (spec->ngates == 0 || spec->ngates > TWZ_GATES_MAX || spec->pad != 0 ||
        l->frames > TWZ_SERVICE_FRAMES || stack > TWZ_OBJ_DATA_MAX)
        return -TWZ_EINVAL;
    l->stack = (stack + TWZ_PAGE_SIZE - 1) & ~(uint64_t)(TWZ_PAGE_SIZE - 1);
    l->stride = 2 * TWZ_PAGE_SIZE + l->stack;
    return l->stride > TWZ_OBJ_DATA_MAX / l->frames ? -TWZ_EINVAL : 0;
}

/* The slots of the frames' windows, from the last frame with one down. */
static void free_windows(const twzobj *frames, const struct layout *l, uint32_t count)
{
    const uint8_t *base = twz_object_base(frames);

    while (count-- > 0) {
        const struct twz_thread *page =
            (const struct twz_thread *)(const void *)(base + count * l->stride);

        view_free_slot((uint32_t)(page->user[TWZ_USER_WINDOW] >> TWZ_OBJ_SHIFT));
    }
}

static int claim_windows(const twzobj *frames, const struct layout *l)
{
    uint8_t *base = twz_object_base(frames);

    for (uint32_t i = 0; i < l->frames; i++) {
        struct twz_thread *page = (struct twz_thread *)(void *)(base + i * l->stride);
        uint32_t slot = view_claim_slot();

        if (slot == 0) {
            free_windows(frames, l, i);
            return -TWZ_EFULL;
        }
        page->user[TWZ_USER_WINDOW] = TWZ_SLOT_ADDR(slot);
    }
    return 0;
}

/* Writes the thread pages, and makes a hole below each stack. */
static int fill_frames(const struct twz_service_spec *spec, const twzobj *frames,
                       const struct layout *l)
{
    const struct twz_thread *self = twz_thread_repr_base();
    uint8_t *base = twz_object_base(frames);
    int err = 0;

    for (uint32_t i = 0; err == 0 && i < l->frames; i++) {
        struct twz_thread *page = (struct twz_thread *)(void *)(base + i * l->stride);

        err = twz_touch(page, sizeof(*page));
        if (err < 0)
            break;
        page->self = (uint64_t)(uintptr_t)page;
        page->magic = TWZ_THREAD_MAGIC;
        page->view = self->view;
        page->args = self->args;
        page->context = objid_is_none(spec->sctx) ? self->context : spec->sctx;
        page->user[TWZ_USER_GATES] = (uint64_t)(uintptr_t)spec->gates;
        err = (int)twz_sys_obj_range(frames->id, TWZ_RANGE_HOLE,
                                     TWZ_OBJ_BASE + i * l->stride + TWZ_PAGE_SIZE, TWZ_PAGE_SIZE);
    }
    return err;
}

static void fill_words(const struct twz_service_spec *spec, const struct layout *l,
                       const uint8_t *frames, struct twz_service *words)
{
    uint64_t base = (uint64_t)(uintptr_t)frames;

    *words = (struct twz_service){
        .magic = TWZ_SERVICE_MAGIC,
        .version = TWZ_SERVICE_VERSION,
        .priority = spec->priority,
        .view = view_id(),
        .sctx = spec->sctx,
        .entry = (uint64_t)(uintptr_t)gate_entries,
        .length = spec->ngates * ENTRY_SIZE,
        .align = ENTRY_SIZE,
        .frames = l->frames,
        .reserve = spec->reserve,
        .stack = { base + l->stride, l->stride },
        .tls = { base + TLS_OFFSET, l->stride },
        .page = { base, l->stride },
    };
}

/* The service's object: that of the name if there is one, else a new one. A volatile one is tied to
 * the view. */
static int open_service(const char *name, twzobj *service)
{
    struct twz_create create = { .flags = name ? TWZ_OBJ_PERSIST : 0,
                                 .perms = SERVICE_PERMS,
                                 .kind = TWZ_KIND_SERVICE,
                                 .tie = name ? TWZ_OBJID_NONE : view_id() };
    struct twz_gates gates;
    int err = name ? twz_service_open(name, &gates) : -TWZ_ENONAME;

    if (err == 0)
        return twz_object_init_guid(service, gates.id, TWZ_READ | TWZ_WRITE);
    if (err != -TWZ_ENONAME && err != -TWZ_ENOOBJ && err != -TWZ_EDELETED)
        return err;
    err = twz_object_create(service, &create);
    if (err < 0 || !name)
        return err;
    err = twz_name_reassign(name, service->id);
    if (err < 0) {
        twz_object_delete(service, TWZ_DELETE_DEFERRED);
        twz_object_release(service);
    }
    return err;
}

/* True: the service is attached, but its view or context is deleted. No entry has this index. */
static bool is_dead(objid_t service)
{
    const uint64_t arg[] = { service.lo, service.hi, UINT64_MAX, 0, 0, 0 };
    uint64_t value;

    return gate_enter(TWZ_SYS_gate_call, arg, &value) == -TWZ_EDELETED;
}

static int attach(objid_t service)
{
    objid_t root = system_page()->kso_root;

    if (is_dead(service))
        (void)twz_sys_kso_detach(root, service, UINT64_MAX);
    return (int)twz_sys_kso_attach(root, service, UINT64_MAX);
}

static int start_on_frames(const struct twz_service_spec *spec, const struct layout *l,
                           const twzobj *frames, objid_t *id)
{
    twzobj service;
    int err = fill_frames(spec, frames, l);

    if (err == 0)
        err = open_service(spec->name, &service);
    if (err < 0)
        return err;
    err = claim_windows(frames, l);
    if (err == 0) {
        fill_words(spec, l, twz_object_base(frames), twz_object_base(&service));
        *id = service.id;
        err = attach(service.id);
        if (err < 0)
            free_windows(frames, l, l->frames);
    }
    twz_object_release(&service);
    return err < 0 ? err : 0;
}

int twz_service_start(const struct twz_service_spec *spec, objid_t *id)
{
    struct twz_create create = { .perms = twz_private_perms(), .tie = view_id() };
    struct layout l;
    twzobj frames;
    int err = choose_layout(spec, &l);

    if (err == 0)
        err = twz_object_create(&frames, &create);
    if (err < 0)
        return err;
    err = start_on_frames(spec, &l, &frames, id);
    if (err < 0) {
        twz_object_delete(&frames, TWZ_DELETE_DEFERRED);
        twz_object_release(&frames);
    }
    return err;
}

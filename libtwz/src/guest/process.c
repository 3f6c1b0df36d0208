/* SPDX-License-Identifier: MIT */
/*
 * Processes: a program in a view of its own. All objects of a process are volatile and tied,
 * directly or through others, to its first thread's object. The deletion of that object deletes
 * all.
 *
 * The process may destroy its first thread's object. So its parent reads the object's page under a
 * catch. It cannot destroy an object of its parent, because it is given the ID of none.
 */
#include <twz/faults.h>
#include <twz/name.h>

#include "../elf.h"
#include "guest.h"

#define STACK_DEFAULT (8ull << 20)
#define ARGS_MAX      (64ull << 20)

#define RW (TWZ_READ | TWZ_WRITE)

#define STACK_SHIFTS 256u /* random distances, of 16 bytes each, of the first stack's start */

/* --- args ------------------------------------------------------------------------------------- */

struct pack {
    struct twz_args *args;
    uint64_t at;
    bool full;
};

static uint64_t pack_bytes(struct pack *p, const void *bytes, uint64_t len)
{
    uint64_t at = p->at;

    if (len > ARGS_MAX - at) {
        p->full = true;
        return at;
    }
    __builtin_memcpy((uint8_t *)p->args + at, bytes, len);
    p->at += len;
    return at;
}

static uint64_t pack_string(struct pack *p, const char *text)
{
    return pack_bytes(p, text, __builtin_strlen(text) + 1);
}

static uint32_t pack_list(struct pack *p, const char *const *list)
{
    uint32_t n = 0;

    for (; list && list[n]; n++)
        pack_string(p, list[n]);
    return n;
}

/* --- making a process ------------------------------------------------------------------------- */

/* The slots of a new view, and where in its slot the stack begins. The program finds its objects
 * through its thread's page and its arguments. The slot below the stack stays empty, so that a
 * stack overflow faults, however far it goes. */
struct places {
    uint32_t text; /* the data lie in the next slot, as those of the runtime do */
    uint32_t rt;   /* the runtime's text */
    uint32_t stack;
    uint32_t view;
    uint32_t thread;
    uint32_t args;
    uint32_t shift; /* bytes from the top of the stack to where it begins */
};

struct new_process {
    objid_t account; /* pays for all of it; 0: the caller's */
    twzobj thread;
    twzobj view;
    struct places at;
    struct twz_loaded program;
    struct twz_loaded runtime;
    objid_t context; /* 0: the caller runs in the first context, and so does the process */
    objid_t stack;
    objid_t args;
};

/* Choose the places. Programs lie in one window, what belongs to the thread in another, so that an
 * address of the stack tells nothing of the text. */
static int choose_places(const twzobj *view, struct places *at)
{
    struct twz_view_entry *table = view_table(view->start);
    struct slots slots = { 0 };
    int64_t shift = slots_random(&slots, STACK_SHIFTS);

    if (shift < 0)
        return (int)shift;
    at->shift = (uint32_t)shift * 16;
    at->text = slots_claim(&slots, table, 2);
    at->rt = slots_claim(&slots, table, 2);
    slots_leave_window(&slots);
    at->stack = slots_claim(&slots, table, 2) + 1;
    at->view = slots_claim(&slots, table, 1);
    at->thread = slots_claim(&slots, table, 1);
    at->args = slots_claim(&slots, table, 1);
    return at->text && at->rt && at->stack > 1 && at->view && at->thread && at->args ? 0
                                                                                     : -TWZ_EFULL;
}

/* Fill in the args object: the fixed part, then strings, then opaque data. -TWZ_ERANGE if they are
 * longer than ARGS_MAX. */
static int fill_args(const struct twz_program_spec *spec, const struct new_process *new,
                     struct twz_args *args)
{
    const struct twz_loaded *loaded = &new->program;
    const char *const self[] = { spec->path, NULL };
    uint64_t stack = spec->stack_size ? spec->stack_size : STACK_DEFAULT;
    struct pack p = { .args = args, .at = sizeof(*args) };
    uint64_t bottom = TWZ_SLOT_ADDR(new->at.stack) + TWZ_OBJ_BASE;

    *args = (struct twz_args){
        .magic = TWZ_ARGS_MAGIC,
        .version = TWZ_ARGS_VERSION,
        .ttybits = spec->ttybits,
        .rows = spec->rows,
        .cols = spec->cols,
        .strings = p.at,
        .root = plat_names_root(),
        .cwd = objid_is_none(spec->cwd) ? plat_names_root() : spec->cwd,
        .program = spec->program,
        .runtime = spec->runtime,
        .entry = loaded->entry,
        .bias = TWZ_SLOT_ADDR(new->at.text) + TWZ_OBJ_BASE,
        .phdr = loaded->phdr,
        .phnum = loaded->phnum,
        .phent = loaded->phent,
        .data_end = loaded->data_end,
        .stack_low = bottom,
        .stack_top = bottom + ((stack + TWZ_PAGE_SIZE - 1) & ~(uint64_t)(TWZ_PAGE_SIZE - 1)),
    };
    args->argc = pack_list(&p, spec->argv && spec->argv[0] ? spec->argv : self);
    args->envc = pack_list(&p, spec->envp);
    args->strings_len = p.at - args->strings;
    args->path = pack_string(&p, spec->path);
    args->cwd_path = pack_string(&p, spec->cwd_path ? spec->cwd_path : "/");
    p.at = (p.at + 15) & ~15ull;
    args->opaque = pack_bytes(&p, spec->opaque, spec->opaque_len);
    args->opaque_len = spec->opaque_len;
    return p.full ? -TWZ_ERANGE : 0;
}

static int create_object(const struct new_process *new, uint32_t kind, objid_t tie, twzobj *obj)
{
    objid_t id;
    int err = guest_create_volatile(kind, tie, new->context, new->account, &id);

    if (err < 0)
        return err;
    err = twz_object_init_guid(obj, id, RW);
    if (err < 0)
        twz_object_delete_guid(id, TWZ_DELETE_NOW);
    return err;
}

/* The context of the process, with what the caller's takes in, and its first thread's object. */
static int create_context_and_thread(struct new_process *new)
{
    int err = 0;

    if (!objid_is_none(guest_context()))
        err = guest_create_volatile(TWZ_KIND_SCTX, TWZ_OBJID_NONE, TWZ_OBJID_NONE, new->account,
                                    &new->context);
    if (err < 0)
        return err;
    err = create_object(new, TWZ_KIND_THREAD, TWZ_OBJID_NONE, &new->thread);
    if (err >= 0 && !objid_is_none(new->context)) {
        err = (int)twz_sys_obj_tie(new->context, new->thread.id, 1);
        if (err >= 0)
            return 0;
        twz_object_delete(&new->thread, TWZ_DELETE_NOW);
        twz_object_release(&new->thread);
    }
    if (err < 0 && !objid_is_none(new->context))
        twz_object_delete_guid(new->context, TWZ_DELETE_NOW);
    return err;
}

static int give_up(objid_t id, uint32_t keep)
{
    int err = objid_is_none(id) ? 0 : guest_keep(id, keep);

    return err == -TWZ_ENOOBJ || err == -TWZ_EDELETED ? 0 : err; /* the process has deleted it */
}

/* The process is complete: from now on it alone has its memory. Its parent can wait for it, signal
 * it and delete it. */
static int give_up_rights(const struct new_process *new)
{
    const objid_t own[] = { new->view.id, new->stack, new->args, new->program.data,
                            new->runtime.data };
    int err = 0;

    if (objid_is_none(new->context))
        return 0;
    for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]) && err >= 0; i++)
        err = give_up(own[i], 0);
    return err < 0 ? err : give_up(new->thread.id, TWZ_READ | TWZ_USE | TWZ_DEL);
}

static void set_view_slot(const struct new_process *new, uint32_t slot, objid_t id, uint64_t rights)
{
    if (!objid_is_none(id))
        view_entry_write(view_table(new->view.start) + slot, id, TWZ_VE_VALID | rights);
}

/* Fill in the slots that every view has besides its program. */
static int fill_view_slots(struct new_process *new)
{
    struct twz_view *head = twz_object_base(&new->view);
    int err =
        guest_create_volatile(TWZ_KIND_DATA, new->view.id, new->context, new->account, &new->stack);

    if (err < 0)
        return err;
    head->magic = TWZ_VIEW_MAGIC;
    set_view_slot(new, new->at.view, new->view.id, RW);
    set_view_slot(new, new->at.thread, new->thread.id, RW);
    set_view_slot(new, new->at.stack, new->stack, RW);
    set_view_slot(new, TWZ_SLOT_SYSTEM, view_entry(TWZ_SLOT_SYSTEM)->id, TWZ_READ);
    set_view_slot(new, TWZ_SLOT_CONSOLE, view_entry(TWZ_SLOT_CONSOLE)->id, RW);
    return 0;
}

static int load_programs(const struct twz_program_spec *spec, struct new_process *new)
{
    int err = guest_load_program(&new->view, new->context, new->account, spec->program,
                                 new->at.text, &new->program);

    if (err >= 0 && !objid_is_none(spec->runtime))
        err = guest_load_program(&new->view, new->context, new->account, spec->runtime, new->at.rt,
                                 &new->runtime);
    return err;
}

/* Create and fill the args object, then start the thread at the entry of the runtime or program. */
static int start_first_thread(const struct twz_program_spec *spec, struct new_process *new)
{
    struct twz_thread *repr = twz_object_base(&new->thread);
    struct twz_spawn spawn = {
        .thread = new->thread.id,
        .view = new->view.id,
        .sctx = new->context,
        .entry = objid_is_none(spec->runtime) ? new->program.entry : new->runtime.entry,
        .arg = TWZ_SLOT_ADDR(new->at.args) + TWZ_OBJ_BASE,
        .gsbase = TWZ_SLOT_ADDR(new->at.thread) + TWZ_OBJ_BASE,
        .account = spec->account,
    };
    twzobj args;
    int err = create_object(new, TWZ_KIND_DATA, new->view.id, &args);

    if (err < 0)
        return err;
    new->args = args.id;
    set_view_slot(new, new->at.args, args.id, RW);
    err = fill_args(spec, new, twz_object_base(&args));
    spawn.stack = ((struct twz_args *)twz_object_base(&args))->stack_top - new->at.shift;
    twz_object_release(&args);
    if (err < 0)
        return err;
    repr->self = spawn.gsbase;
    repr->view = TWZ_SLOT_ADDR(new->at.view);
    repr->args = spawn.arg;
    return (int)twz_sys_thread_spawn(&spawn);
}

static uint64_t read_generation(const twzobj *thread)
{
    const struct twz_thread *repr = twz_object_base(thread);
    struct twz_catch c;
    uint64_t generation;

    if (twz_catch(&c))
        return 0;
    generation = repr->generation;
    twz_catch_end(&c);
    return generation;
}

int twz_program_spawn(const struct twz_program_spec *spec, struct twz_process *process)
{
    struct new_process new = { .account = spec->account };
    int err = create_context_and_thread(&new);

    if (err < 0)
        return err;
    err = create_object(&new, TWZ_KIND_VIEW, new.thread.id, &new.view);
    if (err >= 0)
        err = choose_places(&new.view, &new.at);
    if (err >= 0)
        err = fill_view_slots(&new);
    if (err >= 0)
        err = load_programs(spec, &new);
    if (err >= 0)
        err = start_first_thread(spec, &new);
    if (err >= 0)
        err = give_up_rights(&new);
    if (err < 0) {
        twz_object_delete(&new.thread, TWZ_DELETE_NOW);
        twz_object_release(&new.view);
        twz_object_release(&new.thread);
        return err;
    }
    *process = (struct twz_process){
        .thread = new.thread.id,
        .view = new.view.id,
        .repr = new.thread,
        .generation = read_generation(&new.thread),
    };
    twz_object_release(&new.view);
    return 0;
}

/* --- its end ---------------------------------------------------------------------------------- */

int twz_program_poll(const struct twz_process *process, struct twz_program_end *end)
{
    const struct twz_thread *repr = twz_object_base(&process->repr);
    struct twz_catch c;

    if (twz_catch(&c)) {
        *end = (struct twz_program_end){ .code = TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL) };
        return 1;
    }
    if (!__atomic_load_n(&repr->exit, __ATOMIC_ACQUIRE)) {
        twz_catch_end(&c);
        return 0;
    }
    *end = (struct twz_program_end){
        .code = repr->exit_code,
        .by_fault = repr->exit_fault != 0,
        .fault = repr->fault,
    };
    twz_catch_end(&c);
    return 1;
}

int twz_program_ready(const struct twz_process *process)
{
    const struct twz_thread *repr = twz_object_base(&process->repr);
    struct twz_catch c;
    int ready;

    if (twz_catch(&c))
        return 1;
    ready = __atomic_load_n(&repr->ready, __ATOMIC_ACQUIRE) ||
            __atomic_load_n(&repr->exit, __ATOMIC_ACQUIRE);
    twz_catch_end(&c);
    return ready;
}

void twz_program_sleeps(const struct twz_process *process, struct twz_sync *end,
                        struct twz_sync *ready)
{
    const struct twz_thread *repr = twz_object_base(&process->repr);
    const struct twz_sync sleep = { .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 };

    *end = *ready = sleep;
    end->addr = (uint64_t)(uintptr_t)&repr->exit;
    ready->addr = (uint64_t)(uintptr_t)&repr->ready;
}

int twz_program_wait(struct twz_process *process, uint64_t deadline, struct twz_program_end *end)
{
    struct twz_sync op, unused;

    twz_program_sleeps(process, &op, &unused);
    while (!twz_program_poll(process, end)) {
        if (twz_sys_thread_sync(&op, 1, deadline) == -TWZ_ETIMEDOUT)
            return -TWZ_ETIMEDOUT;
    }
    twz_object_delete(&process->repr, TWZ_DELETE_DEFERRED);
    twz_object_release(&process->repr);
    return 0;
}

int twz_program_signal(const struct twz_process *process, uint64_t signal, uint64_t value)
{
    return (int)twz_sys_thread_signal(process->thread, signal, value);
}

/* --- finding programs ------------------------------------------------------------------------- */

/* The object at `path`, if it is an ELF file. */
static int check_program(const char *path, objid_t *id)
{
    struct twz_name_info info;
    uint32_t magic = 0;
    twzobj obj;
    int err = twz_name_lookup(path, &info);

    if (err < 0)
        return err;
    if (info.kind != TWZ_NAME_OBJECT)
        return -TWZ_EISDIR;
    err = twz_object_init_guid(&obj, info.id, TWZ_READ);
    if (err < 0)
        return err;
    if (twz_object_size(&obj) >= sizeof(magic))
        __builtin_memcpy(&magic, twz_object_base(&obj), sizeof(magic));
    twz_object_release(&obj);
    *id = info.id;
    return magic == ELF_MAGIC ? 0 : -TWZ_ETYPE;
}

/* found := dir[0 .. len), a slash, and name. */
static int join_dir_name(const char *dir, size_t len, const char *name, char *found)
{
    size_t name_len = __builtin_strlen(name);

    if (len + name_len + 2 > TWZ_PATH_MAX)
        return -TWZ_ENAMELEN;
    __builtin_memcpy(found, dir, len);
    found[len] = '/';
    __builtin_memcpy(found + len + 1, name, name_len + 1);
    return 0;
}

int twz_program_find(const char *name, const char *path_list, char *found, objid_t *id)
{
    int worst = -TWZ_ENONAME;

    for (const char *c = name; *c; c++) {
        if (*c == '/') {
            int err = join_dir_name("", 0, name + (name[0] == '/'), found);

            return err < 0 ? err : check_program(found, id);
        }
    }
    while (*name) {
        size_t len = 0;
        int err;

        while (path_list[len] && path_list[len] != ':')
            len++;
        err = join_dir_name(path_list, len, name, found);
        if (err >= 0)
            err = check_program(found, id);
        if (err >= 0)
            return err;
        if (err != -TWZ_ENONAME)
            worst = err;
        if (!path_list[len])
            break;
        path_list += len + 1;
    }
    return worst;
}

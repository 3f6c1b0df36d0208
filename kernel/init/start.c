/* SPDX-License-Identifier: MIT */
/*
 * The first program: an object that the pool's superblock names, an ELF file from its base on,
 * mapped in place. The kernel maps it, its view, thread and stack, and starts a thread at its
 * entry. The program's start code does the rest.
 *
 * If the superblock names a security context, the owner's, the program runs in a context of its own
 * that takes that in. Its objects are then its context's alone. Else it runs in the first context,
 * with default permissions and nothing else.
 */
#include <kernel/accountobj.h>
#include <kernel/arch_regs.h>
#include <kernel/console.h>
#include <kernel/context.h>
#include <kernel/kso.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/page.h>
#include <kernel/phys.h>
#include <kernel/pool.h>
#include <kernel/random.h>
#include <kernel/start.h>
#include <kernel/threadobj.h>
#include <kernel/view.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <twz/hostlink.h>

/* The fields of an ELF64 header that are used here. */
struct elf_head {
    uint8_t ident[16]; /* 0x7f "ELF", then the class: 2 is 64-bit */
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
};
_Static_assert(sizeof(struct elf_head) == 32, "elf header size");
#define ELF_MACHINE_X86_64 62u

/* The slots of the first program, drawn at random as libtwz draws those of other programs
 * (libtwz/src/guest/slots.c). It finds its view through its thread's page, and creates its data in
 * the slot above its text. The slot below the stack stays empty, so a stack overflow faults. */
struct places {
    uint32_t text;
    uint32_t stack;
    uint32_t view;
    uint32_t thread;
    uint32_t shift; /* bytes from the top of the stack to where it begins */
};

#define STACK_SHIFTS 256u /* of 16 bytes each */

static uint32_t random_below(uint32_t bound)
{
    uint32_t word;

    random_bytes(&word, sizeof(word));
    return (uint32_t)((uint64_t)word * bound >> 32);
}

static uint32_t choose_window(void)
{
    uint32_t windows = (TWZ_SLOTS - TWZ_SLOT_RANDOM) / TWZ_SLOT_WINDOW;

    return TWZ_SLOT_RANDOM + random_below(windows) * TWZ_SLOT_WINDOW;
}

/* A random slot of the window that is neither the stack's, nor the one below it, nor `other`. */
static uint32_t choose_slot(uint32_t window, uint32_t stack, uint32_t other)
{
    uint32_t slot;

    do {
        slot = window + random_below(TWZ_SLOT_WINDOW);
    } while (slot == stack || slot == stack - 1 || slot == other);
    return slot;
}

/* The text and its data lie in one window, what belongs to the thread in another. */
static void choose_places(struct places *at)
{
    uint32_t text = choose_window();
    uint32_t window;

    do {
        window = choose_window();
    } while (window == text);
    at->text = text + random_below(TWZ_SLOT_WINDOW - 1);
    at->stack = window + 1 + random_below(TWZ_SLOT_WINDOW - 1);
    at->view = choose_slot(window, at->stack, TWZ_SLOT_NONE);
    at->thread = choose_slot(window, at->stack, at->view);
    at->shift = random_below(STACK_SHIFTS) * 16;
}

#define RIGHTS (TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL)

static struct object *create_object(uint32_t kind, struct context *context)
{
    bool is_first = context == context_first();
    struct obj_spec spec = { .kind = kind, .perms = is_first ? RIGHTS : 0 };
    struct object *obj;

    if (obj_create(&spec, &obj) < 0 || (!is_first && grant_add(context, obj, NULL, RIGHTS, 0) < 0))
        fatal(TWZ_HOST_STOP_PANIC, "not enough memory for the first program");
    return obj;
}

static struct store_roots read_roots(void)
{
    struct store_roots roots = { .init = TWZ_OBJID_NONE };
    struct store *store = pool_lock();

    if (store)
        roots = store_super_get(store)->roots;
    pool_unlock();
    return roots;
}

/* The owner's context, referenced. One that cannot be used is left out: the program then has
 * default permissions and what it makes itself. */
static struct context *owner_context(objid_t id)
{
    struct context *context = NULL;
    struct object *obj;
    int err = obj_get(id, &obj);

    if (err == 0) {
        err = context_get(obj, &context);
        obj_put(obj);
    }
    if (err < 0)
        log_printf("pool: the owner's security context " IDFMT " cannot be used", IDPR(id));
    return err < 0 ? NULL : context;
}

/* The context of the first program, referenced. */
static struct context *make_context(objid_t owner_id)
{
    struct obj_spec spec = { .kind = TWZ_KIND_SCTX };
    struct context *owner, *context;
    struct object *obj;
    int err;

    if (objid_is_none(owner_id)) {
        context_ref(context_first());
        return context_first();
    }
    owner = owner_context(owner_id);
    err = obj_create(&spec, &obj);
    if (err == 0)
        err = context_create_on(obj, owner);
    if (err == 0)
        err = context_get(obj, &context);
    if (err < 0)
        fatal(TWZ_HOST_STOP_PANIC, "not enough memory for the first program");
    context_put(owner);
    obj_put(obj);
    return context;
}

/* The offset of the program's entry point. */
static uint64_t read_entry(struct object *program)
{
    static const uint8_t magic[5] = { 0x7f, 'E', 'L', 'F', 2 };
    struct elf_head elf;

    if (obj_read(program, TWZ_OBJ_BASE, &elf, sizeof(elf)) < 0)
        fatal(TWZ_HOST_STOP_DAMAGED, "the first program " IDFMT " cannot be read",
              IDPR(program->id));
    if (memcmp(elf.ident, magic, sizeof(magic)) != 0 || elf.machine != ELF_MACHINE_X86_64 ||
        elf.entry >= TWZ_OBJ_DATA_MAX)
        fatal(TWZ_HOST_STOP_DAMAGED, "the first program " IDFMT " is no x86-64 ELF program",
              IDPR(program->id));
    return TWZ_OBJ_BASE + elf.entry;
}

static void map_first_slot(struct object *view, uint32_t slot, objid_t id, unsigned rights)
{
    if (objid_is_none(id))
        return;
    if (view_set(view, slot, id, rights) < 0)
        fatal(TWZ_HOST_STOP_PANIC, "not enough memory for the first program");
}

static void fill_first_view(struct object *view, const struct places *at, objid_t program,
                            objid_t thread, objid_t stack)
{
    const struct twz_view head = { .magic = TWZ_VIEW_MAGIC };
    const unsigned rw = TWZ_READ | TWZ_WRITE;

    if (obj_write(view, TWZ_OBJ_BASE, &head, sizeof(head)) < 0)
        fatal(TWZ_HOST_STOP_PANIC, "not enough memory for the first program");
    map_first_slot(view, at->text, program, TWZ_READ | TWZ_EXEC);
    map_first_slot(view, at->view, view->id, rw);
    map_first_slot(view, at->thread, thread, rw);
    map_first_slot(view, at->stack, stack, rw);
    map_first_slot(view, TWZ_SLOT_SYSTEM, kso_system()->id, TWZ_READ);
    map_first_slot(view, TWZ_SLOT_CONTROL, console_control_id(), rw);
    map_first_slot(view, TWZ_SLOT_CONSOLE, console_id(), rw);
}

static void start_thread(struct object *thread, struct object *view, struct context *context,
                         const struct places *at, uint64_t entry)
{
    uint64_t top = TWZ_SLOT_ADDR(at->stack) + TWZ_OBJ_DATA_TOP - at->shift;
    uint64_t page = TWZ_SLOT_ADDR(at->thread) + TWZ_OBJ_BASE;
    struct thread_start start = { .priority = PRIORITIES / 2,
                                  .cores = UINT64_MAX,
                                  .context = context };
    struct twz_thread *user = obj_frame(thread, 1);

    if (!user)
        fatal(TWZ_HOST_STOP_PANIC, "not enough memory for the first program");
    arch_regs_start(&start.regs, TWZ_SLOT_ADDR(at->text) + entry, top, 0, 0);
    arch_regs_set_bases(&start.regs, 0, page);
    user->self = page;
    user->view = TWZ_SLOT_ADDR(at->view);
    if (arch_regs_validate(&start.regs) < 0 || threadobj_start(thread, view, &start) < 0)
        fatal(TWZ_HOST_STOP_PANIC, "the first program cannot be started");
}

/* The reserve that programs leave to the first program, to the kernel and to later boots: an eighth
 * of the memory that is free now, and of the pool without what the system itself has there. */
#define PER_MEMORY 8u
#define FOR_PAGES  6u
#define FOR_KERNEL 1u
#define FOR_POOL   7u
#define PER_THREAD 32768u /* bytes of memory, at least, for each thread */

static void set_limits(struct object *obj, const struct account *account)
{
    uint64_t memory = phys_free_frames() * TWZ_PAGE_SIZE, limit[TWZ_ACCOUNT_KINDS];
    struct store_usage usage = { 0 };
    struct store *store = pool_lock();

    if (store)
        store_usage(store, &usage);
    pool_unlock();
    limit[TWZ_ACCOUNT_DRAM] = memory / PER_MEMORY * FOR_PAGES;
    limit[TWZ_ACCOUNT_KERNEL] = memory / PER_MEMORY * FOR_KERNEL;
    limit[TWZ_ACCOUNT_THREADS] = memory / PER_THREAD;
    limit[TWZ_ACCOUNT_POOL] =
        (usage.free * STORE_FRAME_SIZE + atomic_load(&account->use[TWZ_ACCOUNT_POOL])) /
        PER_MEMORY * FOR_POOL;
    if (accountobj_limit_boot(obj, limit) == 0)
        kso_set_account(obj);
}

/* The account that the first program starts programs in. It is the pool's owner's, who may set
 * other limits. */
static void make_account_of_programs(void)
{
    struct account *account;
    struct object *obj;
    int err = kso_get_stored("programs", TWZ_KIND_ACCOUNT, TWZ_READ | TWZ_USE, &obj);

    if (err == 0) {
        err = accountobj_get(obj, &account);
        if (err == 0)
            set_limits(obj, account);
        obj_put(obj);
    }
    if (err < 0)
        log_printf("programs run without limits: their account cannot be used (%d)", -err);
}

void start_init(void)
{
    struct store_roots roots = read_roots();
    objid_t id = roots.init;
    struct object *program, *view, *thread, *stack;
    struct context *context;
    struct places at;
    int err;

    if (objid_is_none(id))
        fatal(TWZ_HOST_STOP_DAMAGED, "the pool names no first program");
    err = obj_get(id, &program);
    if (err < 0)
        fatal(TWZ_HOST_STOP_DAMAGED, "the first program " IDFMT " is %s", IDPR(id),
              err == -TWZ_EDAMAGED ? "damaged" : "missing");
    context = make_context(roots.sctx);
    view = create_object(TWZ_KIND_VIEW, context);
    view->first = true;
    thread = create_object(TWZ_KIND_THREAD, context);
    stack = create_object(TWZ_KIND_DATA, context);
    threadobj_set_init(thread);
    choose_places(&at);
    fill_first_view(view, &at, id, thread->id, stack->id);
    make_account_of_programs();
    start_thread(thread, view, context, &at, read_entry(program));
    context_put(context);
    obj_put(program);
    obj_put(view);
    obj_put(thread);
    obj_put(stack);
}

/* SPDX-License-Identifier: MIT */
/*
 * The first program: an object that the pool's superblock names, an ELF file from its base on,
 * mapped in place. The kernel maps it, its view, thread and stack, and starts a thread at its
 * entry. The program's start code does the rest.
 */
#include <kernel/arch_regs.h>
#include <kernel/console.h>
#include <kernel/context.h>
#include <kernel/kso.h>
#include <kernel/panic.h>
#include <kernel/page.h>
#include <kernel/pool.h>
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

/* The slots of the first program. It finds its view through its thread's page, and creates its data
 * in the slot above its text. The slot below the stack stays empty, so that a stack overflow
 * faults. */
#define SLOT_TEXT   1u
#define SLOT_VIEW   5u
#define SLOT_THREAD 6u
#define SLOT_STACK  13u

static struct object *create_object(uint32_t kind)
{
    struct obj_spec spec = { .kind = kind, .perms = TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL };
    struct object *obj;

    if (obj_create(&spec, &obj) < 0)
        fatal(TWZ_HOST_STOP_PANIC, "not enough memory for the first program");
    return obj;
}

static objid_t init_id(void)
{
    struct store *store = pool_lock();
    objid_t id = TWZ_OBJID_NONE;

    if (store)
        id = store_super_get(store)->roots.init;
    pool_unlock();
    return id;
}

/* The view address of the program's entry point. */
static uint64_t program_entry(struct object *program)
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
    return TWZ_SLOT_ADDR(SLOT_TEXT) + TWZ_OBJ_BASE + elf.entry;
}

static void map_first_slot(struct object *view, uint32_t slot, objid_t id, unsigned rights)
{
    if (objid_is_none(id))
        return;
    if (view_set(view, slot, id, rights) < 0)
        fatal(TWZ_HOST_STOP_PANIC, "not enough memory for the first program");
}

static void fill_first_view(struct object *view, objid_t program, objid_t thread, objid_t stack)
{
    const struct twz_view head = { .magic = TWZ_VIEW_MAGIC };
    const unsigned rw = TWZ_READ | TWZ_WRITE;

    if (obj_write(view, TWZ_OBJ_BASE, &head, sizeof(head)) < 0)
        fatal(TWZ_HOST_STOP_PANIC, "not enough memory for the first program");
    map_first_slot(view, SLOT_TEXT, program, TWZ_READ | TWZ_EXEC);
    map_first_slot(view, SLOT_VIEW, view->id, rw);
    map_first_slot(view, SLOT_THREAD, thread, rw);
    map_first_slot(view, SLOT_STACK, stack, rw);
    map_first_slot(view, TWZ_SLOT_SYSTEM, kso_system()->id, TWZ_READ);
    map_first_slot(view, TWZ_SLOT_CONTROL, console_control_id(), rw);
    map_first_slot(view, TWZ_SLOT_CONSOLE, console_id(), rw);
}

static void start_thread(struct object *thread, struct object *view, uint64_t entry)
{
    uint64_t top = TWZ_SLOT_ADDR(SLOT_STACK) + TWZ_OBJ_DATA_TOP;
    uint64_t page = TWZ_SLOT_ADDR(SLOT_THREAD) + TWZ_OBJ_BASE;
    struct thread_start start = { .priority = PRIORITIES / 2,
                                  .cores = UINT64_MAX,
                                  .context = context_first() };
    struct twz_thread *user = obj_frame(thread, 1);

    if (!user)
        fatal(TWZ_HOST_STOP_PANIC, "not enough memory for the first program");
    arch_regs_start(&start.regs, entry, top, 0, 0);
    arch_regs_set_bases(&start.regs, 0, page);
    user->self = page;
    user->view = TWZ_SLOT_ADDR(SLOT_VIEW);
    if (arch_regs_validate(&start.regs) < 0 || threadobj_start(thread, view, &start) < 0)
        fatal(TWZ_HOST_STOP_PANIC, "the first program cannot be started");
}

void start_init(void)
{
    objid_t id = init_id();
    struct object *program, *view, *thread, *stack;
    int err;

    if (objid_is_none(id))
        fatal(TWZ_HOST_STOP_DAMAGED, "the pool names no first program");
    err = obj_get(id, &program);
    if (err < 0)
        fatal(TWZ_HOST_STOP_DAMAGED, "the first program " IDFMT " is %s", IDPR(id),
              err == -TWZ_EDAMAGED ? "damaged" : "missing");
    view = create_object(TWZ_KIND_VIEW);
    view->first = true;
    thread = create_object(TWZ_KIND_THREAD);
    stack = create_object(TWZ_KIND_DATA);
    threadobj_set_init(thread);
    fill_first_view(view, id, thread->id, stack->id);
    start_thread(thread, view, program_entry(program));
    obj_put(program);
    obj_put(view);
    obj_put(thread);
    obj_put(stack);
}

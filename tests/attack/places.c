/* SPDX-License-Identifier: MIT */
/*
 * places show | many N | search | hidden SLOT...: where a program's objects lie, and who can know.
 *
 *   show         prints the slots of text, runtime, stack, view, thread, args, heap and a thread's
 *                stack, then the distance of the first stack's start from its top
 *   many N       lets N children, one after the other, do that
 *   search       lets a child do `hidden` with the slots of this program
 *   hidden SLOT  searches all that this program can read for a kernel's address, and for one in
 *                those slots, which belong to its parent
 */
#include <spawn.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <twz/faults.h>
#include <twz/program.h>

#include "attack.h"

#define PLACES  8u
#define PARENTS 64u  /* slots that `hidden` may be given */
#define HEAD    256u /* pages that are searched from the start of each object */
#define TAIL    2u   /* pages at its end */

extern char **environ;
static char *self;

static uint32_t slot_of(uint64_t addr)
{
    return (uint32_t)(addr >> TWZ_OBJ_SHIFT);
}

static const struct twz_args *own_args(void)
{
    return (const struct twz_args *)twz_thread_repr_base()->args;
}

static void tell_stack(void *slot)
{
    uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0);

    __atomic_store_n((uint32_t *)slot, slot_of(here), __ATOMIC_RELEASE);
}

/* The runtime's text: the page that libtwix's entry table lies in is found through its objects. */
static uint32_t runtime_slot(void)
{
    const struct twz_view_entry *entry =
        (const void *)(twz_thread_repr_base()->view + TWZ_VIEW_TABLE);

    for (uint32_t slot = 1; slot < TWZ_SLOTS; slot++)
        if ((entry[slot].flags & TWZ_VE_VALID) && objid_equal(entry[slot].id, own_args()->runtime))
            return slot;
    return 0;
}

static bool find_places(uint32_t place[PLACES])
{
    const struct twz_thrd_spawn spawn = { .fn = tell_stack, .arg = &place[7] };
    struct twz_thrd thread;
    void *heap = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    place[0] = slot_of(own_args()->entry);
    place[1] = runtime_slot();
    place[2] = slot_of(own_args()->stack_top - 1);
    place[3] = slot_of(twz_thread_repr_base()->view);
    place[4] = slot_of(twz_thread_repr_base()->self);
    place[5] = slot_of(twz_thread_repr_base()->args);
    place[6] = slot_of((uint64_t)(uintptr_t)heap);
    return heap != MAP_FAILED && twz_thread_spawn(&thread, &spawn) == 0 &&
           twz_thread_wait(&thread, NULL, NULL) == 0;
}

static bool show_places(char **argv)
{
    uint32_t place[PLACES] = { 0 };

    if (!find_places(place))
        return false;
    for (unsigned i = 0; i < PLACES; i++)
        printf("%u ", place[i]);
    printf("%llu\n", (unsigned long long)(own_args()->stack_top - (uint64_t)(uintptr_t)argv));
    return fflush(stdout) == 0;
}

static int run_self(char **argv)
{
    pid_t pid;
    int what;

    return posix_spawn(&pid, self, NULL, NULL, argv, environ) == 0 &&
                   waitpid(pid, &what, 0) == pid && WIFEXITED(what)
               ? WEXITSTATUS(what)
               : 1;
}

static bool show_many(unsigned count)
{
    char *argv[] = { self, "show", NULL };

    for (unsigned i = 0; i < count; i++)
        if (run_self(argv))
            return false;
    return true;
}

/* --- searching -------------------------------------------------------------------------------- */

static uint32_t parent[PARENTS];
static unsigned parents;
static uint32_t own[PLACES];

struct page {
    const uint64_t *word;
    unsigned found;
    uint64_t what;
};

/* Not a negative error, and not two words of 32 bits of which the upper one is -1: the kernel has
 * nothing in its last 4 GiB but for the upper half. */
static bool is_kernel_address(uint64_t word)
{
    return word >> 47 == 0x1ffff && word < UINT64_MAX - 4096 &&
           (word >> 32 != UINT32_MAX || (uint32_t)word >> 31);
}

static bool is_parents_address(uint64_t word)
{
    for (unsigned i = 0; i < parents; i++)
        if (word >> TWZ_OBJ_SHIFT == parent[i] && (word & (TWZ_OBJ_SIZE - 1)) >= TWZ_OBJ_BASE)
            return true;
    return false;
}

static void search_words(void *arg)
{
    struct page *page = arg;

    for (unsigned i = 0; i < TWZ_PAGE_SIZE / sizeof(uint64_t); i++) {
        uint64_t word = __atomic_load_n(&page->word[i], __ATOMIC_RELAXED);

        if (!is_kernel_address(word) && !is_parents_address(word))
            continue;
        page->what = word;
        page->found++;
    }
}

static unsigned search_page(uint32_t slot, uint64_t number)
{
    struct page page = { .word = (void *)(TWZ_SLOT_ADDR(slot) + number * TWZ_PAGE_SIZE) };
    struct twz_fault fault;

    (void)twz_try(search_words, &page, &fault); /* a page that cannot be read holds nothing */
    if (page.found)
        printf("slot %u page %llu has %llx\n", slot, (unsigned long long)number,
               (unsigned long long)page.what);
    return page.found;
}

/* A file that is only read has the bytes that the host put there. */
static unsigned search_slot(uint32_t slot, uint64_t rights)
{
    bool is_file = !(rights & TWZ_WRITE) && slot != TWZ_SLOT_SYSTEM;
    unsigned found = 0;

    for (uint64_t i = 1; i <= HEAD && !is_file; i++)
        found += search_page(slot, i);
    for (uint64_t i = 1; i <= TAIL; i++)
        found += search_page(slot, TWZ_OBJ_SIZE / TWZ_PAGE_SIZE - i);
    return found;
}

/* The stack and the view lie further up in their objects. */
static unsigned search_deep(void)
{
    uint64_t stack = own_args()->stack_top & (TWZ_OBJ_SIZE - 1);
    uint64_t table = TWZ_VIEW_TABLE / TWZ_PAGE_SIZE;
    unsigned found = 0;

    for (uint64_t i = 1; i <= 64; i++)
        found += search_page(own[2], stack / TWZ_PAGE_SIZE - i);
    for (uint64_t i = 0; i < TWZ_SLOTS * sizeof(struct twz_view_entry) / TWZ_PAGE_SIZE; i++)
        found += search_page(own[3], table + i);
    return found;
}

static bool search_all(char **slots, unsigned count)
{
    const struct twz_view_entry *entry =
        (const void *)(twz_thread_repr_base()->view + TWZ_VIEW_TABLE);
    unsigned found = 0, searched = 0;

    if (count > PARENTS || !find_places(own))
        return false;
    for (; parents < count; parents++)
        parent[parents] = (uint32_t)strtoul(slots[parents], NULL, 10);
    for (uint32_t slot = 1; slot < TWZ_SLOTS; slot++) {
        if (!(entry[slot].flags & TWZ_VE_VALID) || !(entry[slot].flags & TWZ_READ))
            continue;
        found += search_slot(slot, entry[slot].flags);
        searched++;
    }
    found += search_deep();
    printf("%u slots searched, %u addresses found\n", searched, found);
    return true;
}

static int search_as_child(void)
{
    uint32_t place[PLACES] = { 0 };
    char text[PLACES][12];
    char *argv[PLACES + 3] = { self, "hidden" };

    if (!find_places(place))
        return 1;
    for (unsigned i = 0; i < PLACES; i++) {
        snprintf(text[i], sizeof(text[i]), "%u", place[i]);
        argv[2 + i] = text[i];
    }
    return run_self(argv);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";

    self = argv[0];
    if (!strcmp(how, "show"))
        return !show_places(argv);
    if (!strcmp(how, "many") && argc > 2)
        return !show_many((unsigned)strtoul(argv[2], NULL, 10));
    if (!strcmp(how, "search"))
        return search_as_child();
    if (!strcmp(how, "hidden"))
        return !search_all(argv + 2, (unsigned)argc - 2);
    return 2;
}

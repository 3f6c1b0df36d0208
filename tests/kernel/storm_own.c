/* SPDX-License-Identifier: MIT */
/* The objects of a worker, whose contents it knows. */
#include "storm.h"

void storm_drop_own(struct worker *w, unsigned i)
{
    user_map(SLOT_OWN(w->number, i), TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(w->id[i]), next(w) & 1), 0);
}

/* Some begin with the pages of another one. */
void storm_make_own(struct worker *w, unsigned i, unsigned from)
{
    struct twz_copy pages = { .src = w->id[from],
                              .src_off = FIRST * TWZ_PAGE_SIZE,
                              .dst_off = FIRST * TWZ_PAGE_SIZE,
                              .len = PAGES * TWZ_PAGE_SIZE };
    struct twz_create spec = { .flags = next(w) & 1 ? TWZ_OBJ_PERSIST : 0,
                               .perms = TWZ_PERMS,
                               .persist = (uint32_t)(next(w) % 3),
                               .source_size = sizeof(pages),
                               .sources = (uint64_t)(uintptr_t)&pages,
                               .nsources = from != i && next(w) & 1 };
    unsigned p;

    if (user_create(&spec, &w->id[i]) != 0) {
        CHECK(STORM->lean != 0 || (spec.nsources == 1 && w->pins[from] > 0));
        spec.nsources = 0;
        spec.flags = 0;
        CHECK_IS(user_create(&spec, &w->id[i]), 0);
    }
    user_map(SLOT_OWN(w->number, i), w->id[i], RW);
    w->pins[i] = 0;
    for (p = 0; p < PAGES; p++) {
        w->page[i][p] = (struct page){ .value = 0 };
        if (spec.nsources != 0) {
            w->page[i][p].value = w->page[from][p].value;
            w->page[i][p].hole = w->page[from][p].hole;
        }
    }
}

static void expect(bool good)
{
    if (!good)
        __atomic_fetch_add(&STORM->broken, 1, __ATOMIC_RELAXED);
}

void storm_check_own(struct worker *w, unsigned i)
{
    unsigned p;

    for (p = 0; p < PAGES; p++) {
        volatile uint64_t *at = user_page(SLOT_OWN(w->number, i), FIRST + p);

        if (w->page[i][p].hole)
            expect(user_load_faults((uint64_t)(uintptr_t)at) == 1);
        else
            expect(*at == w->page[i][p].value);
    }
}

static void store_own(struct worker *w, unsigned i, unsigned p, uint64_t value)
{
    volatile uint64_t *at = user_page(SLOT_OWN(w->number, i), FIRST + p);

    if (w->page[i][p].hole || w->page[i][p].protected) {
        expect(user_store_faults((uint64_t)(uintptr_t)at) == 1);
        return;
    }
    if (STORM->lean != 0 && user_store_faults((uint64_t)(uintptr_t)at) == 1)
        return;
    *at = value;
    w->page[i][p].value = value;
}

/* A copy of two ranges, of which the second has one page. */
static void copy_own(struct worker *w, unsigned from, unsigned to)
{
    uint64_t a = next(w) % PAGES, b = next(w) % PAGES;
    struct twz_copy c[2] = { { .src = w->id[from],
                               .dst = w->id[to],
                               .src_off = TWZ_PAGE_SIZE,
                               .dst_off = TWZ_PAGE_SIZE,
                               .len = (next(w) & 63) * TWZ_PAGE_SIZE },
                             { .src = w->id[from],
                               .dst = w->id[to],
                               .src_off = (FIRST + a) * TWZ_PAGE_SIZE,
                               .dst_off = (FIRST + b) * TWZ_PAGE_SIZE,
                               .len = TWZ_PAGE_SIZE } };

    if (from == to || user_call(TWZ_SYS_obj_copy, (long)(uintptr_t)c, sizeof(c[0]), 2, 0, 0, 0))
        return;
    w->page[to][b] = w->page[from][a];
    w->page[to][b].protected = false;
}

static void change_page(struct worker *w, unsigned i, unsigned p, uint64_t op)
{
    struct page *page = &w->page[i][p];

    if (user_range(w->id[i], op, FIRST + p, 1) != 0)
        return;
    if (op == TWZ_RANGE_PROTECT) {
        page->protected = !page->hole;
        return;
    }
    *page = (struct page){ .hole = op == TWZ_RANGE_HOLE };
}

static void pin_own(struct worker *w, unsigned i, bool pin)
{
    long ret = CALL(obj_pin, IDARG(w->id[i]), pin);

    expect(ret == (pin || w->pins[i] > 0 ? 0 : -TWZ_EINVAL));
    if (ret == 0)
        w->pins[i] += pin ? 1 : UINT32_MAX;
}

void storm_change_own(struct worker *w, unsigned i)
{
    uint64_t n = next(w);
    unsigned p = (unsigned)(n % PAGES);

    switch (n >> 8 & 15) {
    case 0: change_page(w, i, p, TWZ_RANGE_DISCARD); break;
    case 1: change_page(w, i, p, TWZ_RANGE_HOLE); break;
    case 2: change_page(w, i, p, TWZ_RANGE_PROTECT); break;
    case 3: user_range(w->id[i], TWZ_RANGE_POPULATE, FIRST, PAGES); break;
    case 4: user_range(w->id[i], TWZ_RANGE_PERSIST, 1, FIRST + PAGES); break;
    case 5:
    case 6: CALL(obj_ctl, IDARG(w->id[i]), TWZ_CTL_PERSIST, n >> 20 & 1); break;
    case 7:
    case 8: copy_own(w, i, (unsigned)(n >> 20) % OWN); break;
    case 9: CALL(obj_ctl, IDARG(w->id[i]), TWZ_CTL_MODE, (n >> 20) % 3); break;
    case 10: pin_own(w, i, (n >> 20 & 3) == 0); break;
    case 11:
        user_range(w->id[i], n >> 20 & 1 ? TWZ_RANGE_POPULATE : TWZ_RANGE_DISCARD, 1, 64);
        break;
    default: store_own(w, i, p, n); break;
    }
}

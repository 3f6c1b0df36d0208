/* SPDX-License-Identifier: MIT */
#include <lib/threadsave.h>
#include <twz/objid.h>

#define CHECK_START 0x9e3779b97f4a7c15ull
#define CHECK_ODD   0xbf58476d1ce4e5b9ull

/* Each step is a bijection of the sum, so one changed word always shows; the rotation and the
 * product spread it, so that swaps and several changes show but for one case in 2^64. */
uint64_t threadsave_check(const struct twz_thread_save *save)
{
    const uint64_t *word = (const uint64_t *)(const void *)save;
    size_t at = offsetof(struct twz_thread_save, check) / sizeof(*word);
    uint64_t sum = CHECK_START;

    for (size_t i = 0; i < save->size / sizeof(*word); i++)
        sum = (((sum << 29) | (sum >> 35)) ^ (i == at ? 0 : word[i])) * CHECK_ODD;
    return sum != 0 ? sum : 1;
}

bool threadsave_is_valid(const struct twz_thread_save *save, objid_t thread)
{
    return save->magic == TWZ_SAVE_MAGIC && save->version == TWZ_SAVE_VERSION &&
           save->header == sizeof(*save) && save->size % 64 == 0 && save->size >= sizeof(*save) &&
           save->size <= THREADSAVE_SLOT && save->xsave_off >= sizeof(*save) &&
           save->xsave_off <= save->size && save->xsave_size <= save->size - save->xsave_off &&
           save->ngates <= TWZ_GATE_DEPTH && save->nattached <= TWZ_ATTACHED_MAX &&
           objid_equal(save->thread, thread) && save->check == threadsave_check(save);
}

int threadsave_choose(const struct twz_thread_save *const slot[TWZ_THREAD_SLOTS], objid_t thread,
                      uint64_t committed)
{
    int best = -1;

    for (int i = 0; i < (int)TWZ_THREAD_SLOTS; i++) {
        if (!slot[i] || slot[i]->epoch > committed || !threadsave_is_valid(slot[i], thread))
            continue;
        if (best < 0 || slot[i]->epoch > slot[best]->epoch)
            best = i;
    }
    return best;
}

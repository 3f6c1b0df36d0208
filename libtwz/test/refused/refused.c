/* SPDX-License-Identifier: MIT */
/* Uses of the typed layer that must not compile. Each case is built alone with -DCASE=n and must
 * fail; -DCASE=0, the correct use, must compile. */
#include <twz/typed.h>

struct node {
    twz_ref(struct node) next;
    uint64_t value;
};

struct other {
    uint64_t words[3];
};

struct list {
    twz_ref(struct node) head;
    twz_ref(struct other) other;
    struct other big;
};

int attempt(const struct list *l, const struct list *m, struct node *n, struct other *o);

int attempt(const struct list *l, const struct list *m, struct node *n, struct other *o)
{
    int err = twz_set(l->head, n);

#if CASE == 0
    twz_put(twz_at(l->head)->value, 7);
    return err + twz_set(l->other, o) + twz_set(m->head, twz_at(l->head)) + twz_set(l->head, NULL);
#elif CASE == 1 /* dereferencing a reference that was not resolved */
    return err + (int)l->head->value + (m && o);
#elif CASE == 2 /* copying a reference into another object's field */
    n->next = l->head;
    return err + (m && o);
#elif CASE == 3 /* copying between fields of one type */
    n->next = twz_at(l->head)->next;
    return err + (m && o);
#elif CASE == 4 /* plain store into an open object */
    twz_at(l->head)->value = 7;
    return err + (m && o);
#elif CASE == 5 /* a reference to another type */
    return err + twz_set(l->head, o) + (m != NULL);
#elif CASE == 6 /* reading it as another type */
    {
        const struct other *x = twz_at(l->head);

        return err + (m && x && o);
    }
#elif CASE == 7 /* more than one word at once */
    twz_put(l->big, *o);
    return err + (m != NULL);
#elif CASE == 8 /* plain store into the data of twz_open */
    {
        const struct list *k = twz_open("/x", struct list, 0);

        k->big.words[0] = 1;
        return err + (m && o);
    }
#endif
}

/* SPDX-License-Identifier: MIT */
/*
 * refs, graph, lost: list the references of the whole pool.
 *
 * lost --delete deletes object by object, each by one commit word; --link adds one name at a time.
 * An object that only a damaged object points to looks lost. So --delete deletes nothing while
 * anything is damaged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "command.h"
#include "attrs.h"
#include "ident.h"
#include "ids.h"
#include "names.h"
#include "out.h"
#include "platform.h"
#include "pool.h"
#include "refs.h"

static void id_or_root(struct tool *tool, char text[OUT_ID_TEXT], objid_t id)
{
    if (objid_is_none(id))
        strcpy(text, "superblock");
    else
        out_id_text(text, id, ids_shown(tool->pool, id));
}

static void id_or_unresolved(struct tool *tool, char text[OUT_ID_TEXT], objid_t id)
{
    if (objid_is_none(id))
        strcpy(text, "unresolved");
    else
        out_id_text(text, id, ids_shown(tool->pool, id));
}

static void ref_json(const struct ref *ref)
{
    char perms[OUT_PERMS_TEXT];

    out_begin();
    out_str("kind", ref_kind_text(ref->kind));
    out_id("from", ref->from);
    out_id("to", ref->to);
    if (ref->path)
        out_str(ref->kind == REF_NAME ? "path" : "name", ref->path);
    if (ref->kind == REF_FOT) {
        out_u64("index", ref->index);
        out_str("perms", out_perms_text(perms, ref->rights));
        out_bool("unresolved", objid_is_none(ref->to));
    }
    out_end();
}

static void ref_text(struct tool *tool, const struct ref *ref)
{
    char from[OUT_ID_TEXT];
    char to[OUT_ID_TEXT];

    id_or_root(tool, from, ref->from);
    id_or_unresolved(tool, to, ref->to);
    printf("%s -> %s  %s", from, to, ref_kind_text(ref->kind));
    if (ref->kind == REF_FOT)
        printf(" %u", ref->index);
    if (ref->path) {
        putchar(' ');
        out_name(ref->path);
    }
    putchar('\n');
}

/* --- refs ---------------------------------------------------------------------------------- */

struct selection {
    struct tool *tool;
    const struct ident_list *list;
    bool from, to;
};

static int select_ref(void *ctx, const struct ref *ref)
{
    const struct selection *s = ctx;

    if (ref->kind == REF_GAP && (s->to || ident_list_has(s->list, ref->from)))
        refs_warn_gap(ref);
    if (ref->kind == REF_GAP)
        return 0;
    if (!(s->from && ident_list_has(s->list, ref->from)) &&
        !(s->to && ident_list_has(s->list, ref->to)))
        return 0;
    if (out_is_json())
        ref_json(ref);
    else
        ref_text(s->tool, ref);
    return 0;
}

int cmd_refs(struct tool *tool, const struct args *args)
{
    struct ident_list list;
    bool from = args_flag(args, "from");
    bool to = args_flag(args, "to");
    struct selection selection = { tool, &list, from || !to, to || !from };
    int err = ident_all(tool, args, &list);

    if (err == TOOL_OK) {
        int walked = refs_each(tool->pool, select_ref, &selection);

        err = walked < 0 ? fail_twz(tool->pool->path, walked) : TOOL_OK;
    }
    ident_free(&list);
    return err;
}

/* --- graph --------------------------------------------------------------------------------- */

struct graph {
    struct tool *tool;
    bool dot;
    uint8_t *reached; /* a bit for each row; NULL: everything */
    bool grew;        /* this pass reached another object */
    bool print;       /* print the edges, instead of marking what they reach */
};

static bool is_reached(const struct graph *graph, objid_t id)
{
    uint32_t row;

    return !graph->reached || (store_lookup(graph->tool->pool->store, id, &row) >= 0 &&
                               graph->reached[row / 8] & (1u << (row % 8)));
}

static void mark_reached(struct graph *graph, objid_t id)
{
    uint32_t row;

    if (is_reached(graph, id) || store_lookup(graph->tool->pool->store, id, &row) < 0)
        return;
    graph->reached[row / 8] |= (uint8_t)(1u << (row % 8));
    graph->grew = true;
}

/* Print text inside a string of Graphviz's language. */
static void dot_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar((unsigned char)*text < ' ' ? '?' : *text);
    }
}

/* Mark or print one reference from an object that is reached. */
static int visit_edge(void *ctx, const struct ref *ref)
{
    struct graph *graph = ctx;
    bool known = objid_is_none(ref->from) ? !graph->reached : is_reached(graph, ref->from);

    if (!known)
        return 0;
    if (!graph->print) {
        mark_reached(graph, ref->to);
        return 0;
    }
    if (ref->kind == REF_GAP) {
        refs_warn_gap(ref);
        return 0;
    }
    if (!graph->dot && out_is_json()) {
        ref_json(ref);
    } else if (!graph->dot) {
        ref_text(graph->tool, ref);
    } else {
        char from[OUT_ID_TEXT];
        char to[OUT_ID_TEXT];

        id_or_root(graph->tool, from, ref->from);
        id_or_unresolved(graph->tool, to, ref->to);
        printf("  \"%s\" -> \"%s\" [label=\"%s", from, to, ref_kind_text(ref->kind));
        if (ref->path) {
            putchar(' ');
            dot_text(ref->path);
        }
        puts("\"];");
    }
    return 0;
}

static int graph_reach(struct graph *graph, const struct ident_list *list)
{
    struct store_usage space;
    int err = 0;

    store_usage(graph->tool->pool->store, &space);
    graph->reached = calloc(1, space.rows_max / 8 + 1);
    if (!graph->reached)
        return -TWZ_ENOMEM;
    for (size_t i = 0; i < list->count; i++)
        mark_reached(graph, list->item[i].id);
    do {
        graph->grew = false;
        err = refs_each(graph->tool->pool, visit_edge, graph);
    } while (err >= 0 && graph->grew);
    return err;
}

int cmd_graph(struct tool *tool, const struct args *args)
{
    struct ident_list list;
    struct graph graph = { .tool = tool, .dot = args_flag(args, "dot") };
    int err;
    int walked;

    if (graph.dot && out_is_json())
        return fail(TOOL_USAGE, "graph: give either --dot or --json");
    err = ident_all(tool, args, &list);
    walked = err == TOOL_OK && list.count ? graph_reach(&graph, &list) : 0;
    graph.print = true;
    if (err == TOOL_OK && walked >= 0) {
        if (graph.dot)
            puts("digraph twz {");
        walked = refs_each(tool->pool, visit_edge, &graph);
        if (graph.dot)
            puts("}");
    }
    if (walked < 0)
        err = fail_twz(tool->pool->path, walked);
    free(graph.reached);
    ident_free(&list);
    return err;
}

/* --- lost ---------------------------------------------------------------------------------- */

struct lost {
    const struct pool *pool;
    uint8_t *pointed; /* a bit for each row: something points to the object */
    uint64_t rows;
    bool delete;  /* delete what is lost: any gap must be refused */
    bool refused; /* after its message */
};

/* --delete refuses a gap, the other forms only warn. True: refused. */
static bool refuse_or_warn_gap(struct lost *lost, const struct ref *ref)
{
    if (!lost->delete) {
        refs_warn_gap(ref);
        return false;
    }
    lost->refused = true;
    fail(TOOL_DAMAGED,
         "%s " IDFMT ": %s: objects that only it points to would look lost, so nothing is deleted: "
         "del it first, or del the lost objects by their IDs with --force",
         ref->path ? ref->path : "object", IDPR(ref->from), fail_text(ref->error));
    return true;
}

static int mark_pointed(void *ctx, const struct ref *ref)
{
    struct lost *lost = ctx;
    uint32_t row;

    if (ref->kind == REF_GAP)
        return refuse_or_warn_gap(lost, ref);
    if (store_lookup(lost->pool->store, ref->to, &row) >= 0 && row < lost->rows)
        lost->pointed[row / 8] |= (uint8_t)(1u << (row % 8));
    return 0;
}

static void lost_print(struct tool *tool, objid_t id, uint32_t row)
{
    char text[OUT_ID_TEXT];
    struct attrs attrs;

    if (attrs_get(tool->pool, row, ATTRS_UNNAMED, &attrs) < 0)
        return;
    if (out_is_json()) {
        out_begin();
        attrs_fields(&attrs);
        out_end();
        return;
    }
    printf("%s %12llu %s\n", out_id_text(text, id, ids_shown(tool->pool, id)),
           (unsigned long long)attrs.length, attrs.type);
}

static int lost_link(objid_t id, const twzobj *dir)
{
    char text[OUT_ID_TEXT];

    out_id_text(text, id, 32);
    return hier_insert(dir, (struct hier_name){ text, 32 }, id, &(struct attr_values){ 0 });
}

/* Print each lost object, and link or delete it. */
static int lost_each(struct tool *tool, const struct lost *lost, const twzobj *dir, bool delete)
{
    int err = 0;

    for (uint32_t row = 0; err >= 0 && ids_next(tool->pool, &row); row++) {
        objid_t id = store_obj_id_of(tool->pool->store, row);

        if (row >= lost->rows || lost->pointed[row / 8] & (1u << (row % 8)))
            continue;
        lost_print(tool, id, row);
        if (dir)
            err = lost_link(id, dir);
        else if (delete)
            err = plat_obj_delete(id, TWZ_DELETE_DEFERRED);
        /* It was deleted with the object that it was tied to. */
        if (err == -TWZ_ENOOBJ || err == -TWZ_EDELETED)
            err = 0;
    }
    return err;
}

static int lost_find(struct tool *tool, struct lost *lost)
{
    struct store_usage space;

    store_usage(tool->pool->store, &space);
    lost->rows = space.rows_max;
    lost->pointed = calloc(1, space.rows_max / 8 + 1);
    return lost->pointed ? refs_each(tool->pool, mark_pointed, lost) : -TWZ_ENOMEM;
}

/* `dir`: an open directory for --link, or NULL. 0, -TWZ_E*, or 1: refused, after a message. */
static int lost_run(struct tool *tool, const twzobj *dir, bool delete)
{
    struct lost lost = { .pool = tool->pool, .delete = delete };
    int err = dir ? hier_probe(dir) : 0;

    if (err < 0)
        return err;
    err = lost_find(tool, &lost);
    if (err >= 0 && !lost.refused)
        err = lost_each(tool, &lost, dir, delete);
    free(lost.pointed);
    return err < 0 ? err : lost.refused;
}

int cmd_lost(struct tool *tool, const struct args *args)
{
    struct ident dir;
    twzobj obj;
    const char *link = args_option(args, "link");
    bool delete = args_flag(args, "delete");
    int err;
    int done;

    if (link && delete)
        return fail(TOOL_USAGE, "lost: give either --link or --delete");
    err = link ? ident_one(tool, link, &dir) : TOOL_OK;
    if (err != TOOL_OK)
        return err;
    done = link ? twz_object_init_guid(&obj, dir.id, TWZ_READ | TWZ_WRITE) : 0;
    if (done >= 0) {
        done = lost_run(tool, link ? &obj : NULL, delete);
        if (link)
            twz_object_release(&obj);
    }
    if (link)
        ident_done(&dir);
    if (done > 0)
        return TOOL_DAMAGED;
    return done < 0 ? fail_twz(link ? link : tool->pool->path, done) : TOOL_OK;
}

# SPDX-License-Identifier: MIT
"""Code and comments that keep the rules of dialect.py and check_language.py, and that break them."""

BODY = "static int f(void)\n{{\n{}}}\n"


def body(*lines):
    return BODY.format("".join(f"    {line}\n" for line in lines))


RIGHT_DIALECT = [
    body("int err = g();", "", "return err;"),
    body("int64_t ret = g();", "", "return ret < 0 ? -1 : 2;"),
    body("struct a *p = g();", "", "q = p != NULL;", "return g(p != NULL);"),
    "static bool f(const char *p)\n{\n    return p != NULL;\n}\n",
    body("for (uint32_t i = 0; i < 9; i++)", "    g(i);", "return 2;"),
    body("const char *const *x = y;", "struct a b = { .c = { 1 } };", "uint64_t (*h)(int) = g;",
         "", "g();", "{", "    int z = 1;", "", "    g(z);", "}", "return 2;"),
    body("struct {", "    int a;", "    int b;", "} x = { 1, 2 };", "int y;", "", "return -1;"),
    body("switch (g()) {", "case 1: {", "    int z = 1;", "", "    return z;", "}",
         "default: return 2;", "}"),
    "int is_there(void);\n",
    "static int is_less(int a)\n{\n    return a;\n}\nint (*less)(int) = is_less;\n",
    body("return g() ? -1 : 1;"),
    body("return 0;"),
]

WRONG_DIALECT = [
    body("if (p == NULL)", "    g();", "return 2;"),
    body("while (p->next != NULL)", "    g();", "return 2;"),
    body("return p != NULL && p->a ? 3 : 2;"),
    body("return p == NULL ? 3 : 2;"),
    body("assert(p != NULL);", "return 2;"),
    body("if (a)", "    if (NULL == p)", "        g();", "return 2;"),
    body("int r = g();", "", "return r;"),
    body("int a, rc;", "", "return -1;"),
    body("int64_t r = g();", "", "return (int)r;"),
    body("g();", "int a = 1;", "return a;"),
    body("g();", "", "struct a *a = g();", "return 2;"),
    body("if (g())", "    return 3;", "const char *const a[] = { 1 };", "return 2;"),
    body("for (;;) {", "    g();", "    uint64_t z = 2;", "}", "return 2;"),
    body("{", "    g();", "}", "int a;", "return 2;"),
    "int obj_is_new(void)\n{\n    return g();\n}\n",
    "static int has_a(void)\n{\n    return -1;\n}\n",
    body("return g() > 2;"),
    body("if (g())", "    return 1;", "return 0;"),
    body("return !g() && h();"),
]


def c(text, path="kernel/core/a.c"):
    return path, f"/* {text} */\n"


def name(identifier, path="kernel/core/a.c"):
    return path, f"int {identifier};\n"


RIGHT_WORDS = [
    c("The caller must hold the lock. It knows what it wants, and who waits."),
    c("Its guest hangs.", "tests/guest/a.c"),
    c("A move in progress; there is space. Tell the two apart: they can be told apart."),
    c("twz_record of the object: the record says so.", "kernel/obj/a.c"),
    ("libtwz/a.c", 'const char *s = "nobody";\n'),
    ("doc/a.md", "What it is.\n"),
    ("musl-port/patches/a.patch", "A patch.\n--- a\n+++ b\n /* nobody */\n-/* nobody */\n+int a;\n"),
    ("tests/a.py", 'A = "nobody"\n'),
    name("recommended"),
    name("space_map", "kernel/mm/a.c"),
]

WRONG_WORDS = [
    # sentences
    c("Who waits is woken."), c("The lock is taken. Whose it is, is known."),
    c("What is there stays."), c("a; b\n *\n * whom it knows"), c("1. What is there"),
    ("libtwz/a.c", "int a; /* what it is */\n"),
    ("libtwz/a.c", "// The lock.\n// What it guards.\n"),
    ("tests/a.py", 'def f():\n    """What f does."""\n'),
    ("tests/a.sh", "#!/bin/sh\n# What it does.\n"),
    ("libtwz/meson.build", "x = 1 # what it is\n"),
    # persons
    c("the caller or nobody"), c("Now whoever comes"), c("He waits."), c("for its or his lock"),
    ("doc/a.md", "It is for somebody.\n"), ("doc/man/a.1", "It is for somebody.\n"),
    ("kernel/a.S", "/* It is for somebody. */\n"), ("kernel/a.def", "/* It is for somebody. */\n"),
    ("musl-port/patches/a.patch", "A patch.\n--- a\n+++ b\n+/* for somebody */\n"),
    # objects, pages, the store
    c("after a power cut"), c("after a\n * power cut"), c("the hangers"), name("link_hanger"),
    c("it hangs there", "kernel/mm/a.c"), c("it is hung there", "libtwz/include/a.h"),
    name("hang_entry"), c("see hang_entry"), c("it breathes"), name("arch_breathe"), c("a chore"),
    name("flush_chore"), c("the verdict"), name("VERDICT_OK"), c("the two sorts", "doc/a.md"),
    c("of another sort"), c("a move out"), name("move_in"), name("record_dead", "kernel/obj/a.c"),
    name("leaving"), c("it is buried"), name("bury_slot", "libtwz/a.c"), c("its death"),
    c("a dead object", "doc/a.md"), name("slot_dying", "kernel/store/a.c"),
    c("a word that never goes back"), name("STORE_PLACE_PAGE", "kernel/store/a.c"),
    name("space_take", "kernel/store/a.c"), name("store_page_own"), c("the frame is lent"),
    name("space_lend"), c("crowded"), name("test_crowd"), c("it drains", "kernel/store/a.c"),
    name("drain", "kernel/store/a.c"), c("the sweep"), name("file_sweep"),
    name("recovery_kept", "kernel/store/a.c"), name("doom_all"), c("it is doomed"),
    # critical sections, interrupts, threads
    c("in this hold"), c("until the lock falls"), c("the machine lost a line"),
    name("poison_noted"), c("written unasked"), c("it stands at its SYSCALL"),
    c("it goes on behind"), c("kick that core"), name("sched_kick"), c("its attention"),
    name("sched_attention"), name("sched_look"), name("stays", "kernel/core/sched.c"),
    c("mends it"), name("mend_all"), c("its incarnation"), name("last_incarnation"),
    name("facts", "kernel/kso/a.c"), c("there is no room"), c("a bounded piece", "doc/a.md"),
    c("a piece"), name("scan_piece"), c("the host is told"), name("said"),
    # structured objects
    name("hier_busy", "objects/hier/a.c"), c("an enemy"), name("enemy_writes"),
    c("a visitor", "objects/hier/a.c"), c("it takes part"), c("its patience"),
    name("hier_patience"),
    # the runtime
    c("handed over", "libtwix/src/a.c"), name("hand_over", "libtwix/src/a.c"),
    c("it takes back", "libtwix/src/a.c"), name("pipe_take_back", "libtwix/src/a.c"),
    name("leave_stack", "libtwix/src/a.c"),
]

# SPDX-License-Identifier: MIT
"""Every command of twz-obj: effect, text, JSON and exit status.

Usage: test_commands.py TWZ-OBJ NO-TMPFILE [PART-OF-A-NAME]
NO-TMPFILE is the library that, preloaded, makes every file system seem to lack O_TMPFILE.
"""

import hashlib
import json
import os
import pty
import random
import re
import struct
import subprocess
import sys

import counting
from objtool import Pool, content, digest, holds, one_line, same, wanted

TOOL, NO_TMPFILE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
HEX = re.compile(r"^[0-9a-f]{32}$")
PAGE = 4096
DATA_MAX = (1 << 30) - (2 << 20) - PAGE
META = 0x3fffe000 # offset of the metadata page; the FOT ends there
VALID, BY_NAME = 0x100, 0x200


def new_pool(size="4M"):
    return Pool(TOOL, size)


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def is_id(text):
    wanted(HEX.match(text), f"no ID: {text!r}")
    return text


def on_terminal(pool, *words, env=None):
    """The output of a command if standard output is a terminal."""
    master, slave = pty.openpty()
    more = {"TERM": "xterm", **(env or {})}
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | more
    p = subprocess.Popen([pool.program, "--pool", pool.path, *words], stdin=subprocess.DEVNULL,
                         stdout=slave, stderr=subprocess.PIPE, env=env)
    os.close(slave)
    text = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:
            break
        if not part:
            break
        text += part
    same(p.wait(), 0)
    p.stderr.close()
    os.close(master)
    return text.decode().replace("\r\n", "\n")


# --- the pool --------------------------------------------------------------------------------

def test_mkpool_makes_a_sparse_pool_with_directories():
    with new_pool("1G") as pool:
        st = os.stat(pool.path)
        same(st.st_size, 1 << 30)
        wanted(st.st_blocks * 512 < 4 << 20, "not sparse")
        same(pool.out("ls").split(), ["bin", "data", "host", "sys", "tmp"])
        pool.check()


def test_mkpool_does_not_overwrite_without_force():
    with new_pool() as pool:
        pool("new", "/data/x")
        before = digest(pool.path)
        r = pool("mkpool", code=1)
        one_line(r.stderr, pool.path, "exists already", "--force")
        same(digest(pool.path), before)
        pool("mkpool", "--force", "--size", "2M")
        same(os.stat(pool.path).st_size, 2 << 20)
        pool("stat", "/data/x", code=3)
        same(os.listdir(pool.dir), ["pool"])


def test_mkpool_sizes():
    with Pool(TOOL, None) as pool:
        for text in ("1X", "-1", "", "K", "99999999999999999999", "5000", "16T16", "32K"):
            pool("mkpool", "--size", text, code=2)
        for text in ("4K", "64K", "96K"):
            one_line(pool("mkpool", "--size", text, code=2).stderr, f"--size {text}: ", "102400 bytes (100K)")
            same(os.path.exists(pool.path), False)
        pool("mkpool", "--size", "100K")
        pool.check()
        os.unlink(pool.path)
        same(os.listdir(pool.dir), [])
        pool("mkpool", "--size", "0x400000", "--label", "a pool of mine")
        same(pool.json("df")[0]["size"], 4 << 20)
        same(pool.json("df")[0]["label"], "a pool of mine")
        pool("mkpool", "--force", "--label", "x" * 32, code=2)


def test_df():
    with new_pool() as pool:
        a = pool.json("df")[0]
        same(a["size"], 4 << 20)
        same(a["objects"], 8)
        wanted(re.match(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", a["uuid"]), a["uuid"])
        pool("put", pool.file("f", noise(100 * PAGE)), "/f")
        b = pool.json("df")[0]
        same(b["objects"], 9)
        wanted(b["data"] - a["data"] == 101 * PAGE, "data pages are counted")
        wanted(a["free"] > b["free"], "space is used")
        same(a["names"], pool.line("id", "/"))
        holds(pool.out("df", "-h"), "4.0M")


def test_boot_chooses_the_first_program():
    with new_pool() as pool:
        same(pool.json("df")[0]["init"], None)
        program = pool.line("put", pool.file("init", b"\x7fELF", 0o755), "/bin/init")
        pool("boot", "/bin/init")
        same(pool.json("df")[0]["init"], program)
        pool("put", pool.file("init", b"\x7fELF2", 0o755), "/bin/init")
        same(pool.lost(), [])
        same(pool.json("df")[0]["init"], program)
        pool("boot", "/bin/init")
        same(pool.json("df")[0]["init"], pool.line("id", "/bin/init"))
        pool("id", program, code=3)
        pool("boot", "/bin", code=1)
        pool("put", pool.file("text", b"no program"), "/data/text")
        one_line(pool("boot", "/data/text", code=1).stderr, "not a program")
        pool("new", "/data/empty")
        pool("boot", "/data/empty", code=1)
        same(pool.json("df")[0]["init"], pool.line("id", "/bin/init"))
        pool("boot", "/bin/none", code=3)
        pool("del", "--force", "/bin/init", code=1)
        pool.check()


def test_snapshot_is_the_same_pool():
    with new_pool() as pool:
        pool("put", pool.file("f", noise(5000)), "/data/f")
        copy = os.path.join(pool.dir, "copy")
        pool("snapshot", copy)
        same(digest(copy), digest(pool.path))
        pool("snapshot", copy, code=1)


def test_check_is_clean_and_repair_of_nothing_changes_nothing():
    with new_pool() as pool:
        holds(pool.out("check"), "no problem")
        before = content(pool.path)
        same(pool.json("check")[-1]["problems"], 0)
        pool("check", "--repair", "--dry-run")
        pool("check", "--repair", "--backup", os.path.join(pool.dir, "b"))
        same(content(pool.path), before)
        same(content(os.path.join(pool.dir, "b")), before)
        pool("check", "--dry-run", code=2)


# --- objects ---------------------------------------------------------------------------------

def test_new_prints_only_the_id():
    with new_pool() as pool:
        a = is_id(pool.line("new"))
        b = is_id(pool.line("new", "/data/x"))
        same(pool.line("id", "/data/x"), b)
        same(pool.line("id", a), a)
        same([o["id"] for o in pool.json("lost")], [a])
        pool("new", "/data/x", code=1)
        pool("new", "/none/x", code=3)
        pool("new", "/data/x/y", code=1)
        ids = pool.out("new", "--count", "100").split()
        same(len({is_id(i) for i in ids}), 100)
        pool("new", "--count", "2", "/data/y", code=2)
        pool("new", "--perms", "q", code=2)
        same(pool.json("stat", pool.line("new", "--perms", "rx"))[0]["perms"], "r-x--")
        pool.check()


def test_prefixes_of_ids():
    with new_pool("64M") as pool:
        ids = sorted(pool.out("new", "--count", "3000").split())
        for a in ids[:20]:
            same(pool.line("id", a[:20]), a)
            same(pool.line("id", a.upper()), a)
            same(pool.line("id", a[:16] + ":" + a[16:]), a)
        pairs = [a for a, b in zip(ids, ids[1:]) if a[:4] == b[:4]]
        wanted(pairs, "3000 IDs without two that share four digits")
        r = pool("id", pairs[0][:4], code=3)
        holds(r.stderr, "ambiguous", *[i for i in ids if i[:4] == pairs[0][:4]])
        pool("id", ids[0][:3], code=3)
        pool("id", "0" * 32, code=3)


def test_shortest_ids_on_a_terminal():
    with new_pool("64M") as pool:
        ids = pool.out("new", "--count", "3000").split()
        shown = on_terminal(pool, "id", *ids[:50]).split()
        same(len(shown), 50)
        for short, whole in zip(shown, ids):
            wanted(whole.startswith(short) and 4 <= len(short) < 32, f"{short} for {whole}")
            same(pool.line("id", short), whole)
            wanted(len(short) == 4 or sum(i.startswith(short[:-1]) for i in ids) > 1,
                   f"{short} is not the shortest")


def test_a_name_like_an_id_is_ambiguous():
    with new_pool() as pool:
        a = pool.line("new")
        name = "/" + a[:6]
        b = pool.line("new", name)
        r = pool("id", a[:6], code=3)
        holds(r.stderr, a, name)
        same(pool.line("id", name), b)
        same(pool.line("id", a), a)


def test_globs():
    with new_pool() as pool:
        pool("mkdir", "/data/d1", "/data/d2", "/data/e")
        for path in ("/data/d1/x1", "/data/d2/x2", "/data/e/x3", "/data/d1/.h"):
            pool("new", path)
        names = [o["path"] for o in pool.json("stat", "/data/d?/x*")]
        same(names, ["/data/d1/x1", "/data/d2/x2"])
        same([o["path"] for o in pool.json("stat", "data/d1/*")], ["/data/d1/x1"])
        same([o["path"] for o in pool.json("stat", "/data/[de]*")], ["/data/d1", "/data/d2", "/data/e"])
        pool("stat", "/data/q*", code=3)
        pool("get", "/data/d?/x*", code=3)
        pool("new", "/data/*")
        same([o["path"] for o in pool.json("stat", "/data/*")], ["/data/*"])


def test_stat_and_info():
    with new_pool() as pool:
        f = pool.file("f", noise(PAGE + 1), 0o751)
        os.utime(f, ns=(1, 1234567890123456789))
        i = pool.line("put", f, "/data/f")
        s = pool.json("stat", "/data/f")[0]
        same((s["id"], s["path"], s["type"], s["size"]), (i, "/data/f", "file", PAGE + 1))
        same((s["mode"], s["pages"], s["mtime_ns"]), (0o100751, 3, 1234567890123456789))
        same((s["perms"], s["state"], s["damaged"]), ("rwxud", "live", False))
        text = pool.out("info", "/data/f", "/data")
        holds(text, i, "-rwxr-x--x", "hier", "fot", "object f ")
        d = pool.json("info", "/data")[0]
        same(d["tags"][0]["name"], "hier")
        same(d["type"], "directory")
        pool("stat", "/data/f", "/none", code=3)


def test_del():
    with new_pool() as pool:
        a = pool.line("new")
        pool("del", a)
        pool("id", a, code=3)
        pool("del", a, code=3)
        b = pool.line("new", "/data/b")
        r = pool("del", "/data/b", code=1)
        one_line(r.stderr, "/data/b", b)
        pool("rm", "/data/b")
        pool("del", b)
        pool("new", "/data/c")
        pool("ln", "/data/c", "/tmp/c2")
        pool("del", "--force", "/data/c")
        same(pool.out("ls", "/data", "/tmp").replace("\n", ""), "/data:/tmp:")
        readonly = pool.line("new", "--perms", "r")
        pool("del", readonly, code=7)
        pool("del", "--force", readonly)
        pool("del", "/", code=2)
        pool("del", "--force", "/data", "/", code=2)
        pool("del", "--force", "/data")
        same(pool.lost(), [])
        same(pool.json("df")[0]["objects"], 7)
        pool.check()


# --- names -----------------------------------------------------------------------------------

def test_mkdir():
    with new_pool() as pool:
        pool("mkdir", "/a", "b")
        pool("mkdir", "/a", code=1)
        pool("mkdir", "/x/y", code=3)
        pool("mkdir", "-p", "/x/y/z", "/x/y")
        pool("new", "/file")
        pool("mkdir", "-p", "/file/z", code=1)
        same([o["path"] for o in pool.json("tree", "/x")], ["/x/y", "/x/y/z"])
        pool("mkdir", "/" + "n" * 255)
        pool("mkdir", "/" + "n" * 256, code=2)
        pool("mkdir", "/", code=1)
        pool.check()


def test_ls():
    with new_pool() as pool:
        pool("put", pool.file("f", b"12345", 0o640), "/data/f")
        pool("ln", "-s", "../data/f", "/tmp/s")
        same(pool.out("ls", "/data"), "f\n")
        line = pool.line("ls", "-l", "/data")
        wanted(re.match(r"^-rw-r----- rwxud +5 \d{4}-\d\d-\d\d \d\d:\d\d [0-9a-f]{32} f$", line), line)
        holds(pool.out("ls", "-l", "/tmp"), "lrwxrwxrwx", "s -> ../data/f")
        holds(pool.out("ls", "-R"), "/data:\nf\n", "/tmp:\ns\n")
        same(pool.out("ls", "/data/f"), "/data/f\n")
        link = pool.json("ls", "/tmp")[0]
        same((link["type"], link["target"], link["path"]), ("symlink", "../data/f", "/tmp/s"))
        lines = pool.out("ls", "-R", "--jsonl").splitlines()
        same(sorted(json.loads(x)["name"] for x in lines),
             ["bin", "data", "f", "host", "s", "sys", "tmp"])
        pool("ls", "/none", code=3)


def test_names_of_any_bytes():
    with new_pool() as pool:
        name = b"/data/a\xff\x01 \"\\\xc3\xbc\xe2\x82"
        subprocess.run([TOOL.encode(), b"--pool", pool.path.encode(), b"new", name], check=True,
                       stdout=subprocess.DEVNULL)
        got = pool.json("ls", "/data")[0]["name"]
        same(got.encode("utf-8", "surrogateescape"), name[6:])
        holds(pool.out("ls", "/data", text=False), b"\\x01")
        r = subprocess.run([TOOL.encode(), b"--pool", pool.path.encode(), b"cat", b"/\x1b[31m"],
                           capture_output=True)
        wanted(b"\x1b" not in r.stderr, "an error message steers the terminal")


def test_tree():
    with new_pool() as pool:
        pool("mkdir", "-p", "/data/a/b")
        pool("new", "/data/a/x")
        same(pool.out("tree", "/data"),
             "/data\n└── a\n    ├── b\n    └── x\n\n2 directories, 1 other names\n")
        pool("tree", "/data/a/x", code=1)


def test_colour_only_on_terminals():
    with new_pool() as pool:
        wanted("\x1b" not in pool.out("ls"), "colour in a pipe")
        holds(on_terminal(pool, "ls"), "\x1b[34mdata\x1b[0m/")
        wanted("\x1b" not in on_terminal(pool, "ls", env={"NO_COLOR": "1"}), "NO_COLOR is ignored")


# --- data ------------------------------------------------------------------------------------

def test_put_get_sizes():
    with new_pool("16M") as pool:
        out = os.path.join(pool.dir, "out")
        for size in (0, 1, 4095, 4096, 4097, 12 * PAGE, 13 * PAGE + 1, 3 << 20):
            data = noise(size, size)
            pool("put", pool.file("in", data), "/data/f")
            pool("get", "/data/f", out)
            with open(out, "rb") as f:
                same(f.read() == data, True, f"{size} bytes")
            same(pool("cat", "/data/f", text=False).stdout == data, True)
            same(pool.json("stat", "/data/f")[0]["size"], size)
        same(pool.lost(), [])
        pool.check()


def test_put_destinations():
    with new_pool() as pool:
        f = pool.file("f", b"1")
        i = is_id(pool.line("put", f))
        same([o["id"] for o in pool.json("lost")], [i])
        pool("put", f, "/data")
        pool("put", f, "/tmp/")
        same((pool.out("cat", "/data/f"), pool.out("cat", "/tmp/f")), ("1", "1"))
        pool("put", f, "/new/", code=3)
        pool("put", f, "/none/f", code=3)
        pool("put", f, i, code=2)
        pool("put", pool.dir, "/data/x", code=1)
        pool("put", os.path.join(pool.dir, "none"), "/data/x", code=3)
        pool("put", "-", "/data/std", input="from a pipe")
        same(pool.out("cat", "/data/std"), "from a pipe")
        same(pool.json("put", f, "/data/j")[0]["written"], True)
        pool.check()


def test_put_gives_permissions_that_bind_programs_only():
    with new_pool() as pool:
        f = pool.file("f", b"1")
        a = pool.line("put", "--perms", "rx", f, "/bin/f")
        same(pool.json("stat", "/bin/f")[0]["perms"], "r-x--")
        same(pool.line("put", "--update", "--perms", "rx", f, "/bin/f"), a)
        b = pool.line("put", "--update", f, "/bin/f")
        wanted(a != b, "other permissions make a new object")
        same(pool.json("stat", "/bin/f")[0]["perms"], "rwxud")
        pool("put", "--perms", "rz", f, "/bin/g", code=2)
        pool("put", "--perms", "-", f, "/bin/g", code=2)
        pool("rm", "/bin/f")
        same([o["id"] for o in pool.json("lost")], [b])
        pool.check()


def test_mkpool_protects_the_systems_directories():
    with new_pool() as pool:
        same([pool.json("stat", path)[0]["perms"] for path in ("/", "/bin", "/sys", "/tmp")],
             ["rw-u-", "r--u-", "r--u-", "rw-u-"])


def test_put_keeps_the_mode_and_get_restores_it():
    with new_pool() as pool:
        pool("put", pool.file("x", b"#!", 0o755), "/bin/x")
        out = os.path.join(pool.dir, "out")
        pool("get", "/bin/x", out)
        same(os.stat(out).st_mode & 0o755, 0o755)
        pool("get", "/bin/x", pool.dir)
        pool("get", "/bin/x", cwd=pool.dir)
        same(pool.out("get", "/bin/x", "-"), "#!")
        pool("get", "/bin/x", "/dev/null")
        pool("get", "/bin", out, code=1)
        pool("get", "/bin/x", "/none/x", code=3)


def test_get_applies_the_umask():
    with new_pool() as pool:
        pool("new", "/data/plain")
        pool("put", pool.file("x", b"#!", 0o777), "/data/x")
        for env in ({}, {"LD_PRELOAD": NO_TMPFILE}):
            for name, mode in (("plain", 0o640), ("x", 0o750)):
                out = os.path.join(pool.dir, "out")
                pool("get", f"/data/{name}", out, env=env, umask=0o027)
                same(os.stat(out).st_mode & 0o777, mode, f"{name} with {env}")
        same(sorted(os.listdir(pool.dir)), ["out", "pool", "x"])


def test_put_update_skips_equal_bytes():
    with new_pool() as pool:
        f = pool.file("f", noise(9000))
        a = pool.line("put", "--update", f, "/f")
        before = content(pool.path)
        same(pool.line("put", "--update", f, "/f"), a)
        same(content(pool.path), before)
        same(pool.json("put", "--update", f, "/f")[0]["written"], False)
        wanted(pool.line("put", f, "/f") != a, "put without --update makes a new object")
        b = pool.line("id", "/f")
        for other in (noise(9000, 2), noise(8999), noise(9001)):
            c = pool.line("put", "--update", pool.file("f", other), "/f")
            wanted(b != c, "other bytes make a new object")
            same(pool("cat", "/f", text=False).stdout, other)
            b = c
        os.chmod(f, 0o755)
        wanted(pool.line("put", "--update", f, "/f") != b, "another mode makes a new object")
        same(pool.lost(), [])
        pool.check()


def test_zeroes_take_no_space():
    with new_pool("8M") as pool:
        data = bytes(64 << 20) + b"end"
        pool("put", pool.file("f", data), "/f")
        same(pool.json("stat", "/f")[0]["pages"], 2)
        out = os.path.join(pool.dir, "out")
        pool("get", "/f", out)
        same(digest(out), hashlib.sha256(data).hexdigest())
        wanted(os.stat(out).st_blocks * 512 < 1 << 20, "no holes in the host file")
        same(hashlib.sha256(pool("cat", "/f", text=False).stdout).hexdigest(), digest(out))
        pool("put", "--update", os.path.join(pool.dir, "f"), "/f")


def test_a_file_longer_than_an_object():
    with new_pool("16M") as pool:
        f = os.path.join(pool.dir, "f")
        with open(f, "wb") as out:
            for at in (0, DATA_MAX - 5, 2 * DATA_MAX - 5):
                out.seek(at)
                out.write(b"0123456789")
        pool("put", f, "/f")
        same(pool.json("stat", "/f")[0]["size"], 2 * DATA_MAX + 5)
        same(pool.json("df")[0]["objects"], 11)
        same(pool.lost(), [])
        pool("get", "/f", f + "2")
        same(subprocess.run(["cmp", f, f + "2"]).returncode, 0)
        pool("put", "--update", f, "/f")
        pool("cp", "/f", "/g", code=1)
        pool("del", "--force", "/f")
        same(pool.json("df")[0]["objects"], 8)
        pool.check()


def test_cp_shares_until_written():
    with new_pool() as pool:
        data = noise(1 << 20)
        pool("put", pool.file("f", data, 0o755), "/data/f")
        before = pool.json("df")[0]["free"]
        pool("cp", "/data/f", "/tmp")
        wanted(before - pool.json("df")[0]["free"] < 16 * PAGE, "the copy shares pages")
        same(pool("cat", "/tmp/f", text=False).stdout == data, True)
        same(pool.json("stat", "/tmp/f")[0]["mode"], 0o100755)
        pool("del", "--force", "/data/f")
        same(pool("cat", "/tmp/f", text=False).stdout == data, True)
        pool("cp", "/data", "/tmp/d", code=1)
        pool("cp", "/tmp/f", "/tmp/f")
        same(pool("cat", "/tmp/f", text=False).stdout == data, True)
        same(pool.lost(), [])
        pool.check()


def test_200_mb_in_and_out():
    with new_pool("320M") as pool:
        f = os.path.join(pool.dir, "f")
        source = random.Random(3)
        with open(f, "wb") as out:
            for _ in range(200):
                out.write(source.randbytes(1000000))
        pool("put", f, "/data/f")
        pool("get", "/data/f", f + "2")
        same(digest(f + "2"), digest(f))
        pool.check()


def test_full_pool():
    with new_pool() as pool:
        pool("put", pool.file("keep", b"kept"), "/keep")
        pool("del", pool.out("new").strip())  # the object table keeps the chunk that this takes
        before = {**pool.json("df")[0], "generation": None}
        r = pool("put", pool.file("big", noise(5 << 20)), "/big", code=6)
        one_line(r.stderr, "/big", "full")
        r = pool("put", pool.file("big", noise(5 << 20)), "/keep", code=6)
        one_line(r.stderr, "/keep", "full")
        same({**pool.json("df")[0], "generation": None}, before)
        same(pool.out("cat", "/keep"), "kept")
        pool("new", "--count", "100000", code=6)
        pool("mkdir", "/x", code=6)
        pool("lost", "--delete")
        pool("mkdir", "/x")
        same(pool.lost(), [])
        pool.check()


# --- inspection ------------------------------------------------------------------------------

def test_dump():
    with new_pool() as pool:
        i = pool.line("put", pool.file("f", bytes(range(40)) + bytes(100)), "/f")
        lines = pool.out("dump", "/f").splitlines()
        same(lines[0], "00001000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|")
        same(lines[-1], "0000108c")
        holds(lines, "*")
        same(pool.out("dump", "/f:0x1004+4").splitlines()[0][:22], "00001004  04 05 06 07 ")
        d = pool.json("dump", i + ":4096+3")[0]
        same((d["id"], d["offset"], d["length"], d["hex"]), (i, 4096, 3, "000102"))
        holds(pool.out("dump", "--meta", "/f"), "3fffe000", "twz-met2")
        holds(pool.out("dump", "/f:1M+16"), "(absent)")
        for bad in ("/f:", "/f:x", "/f:4096+", "/f:0+1", "/f:1G", "/f:4096+2G"):
            pool("dump", bad, code=2)
        pool("dump", "/none:4096", code=3)


def test_fot_and_refs():
    with new_pool() as pool:
        f = os.path.join(pool.dir, "f")
        with open(f, "wb") as out:
            out.truncate(DATA_MAX + 10)
        i = pool.line("put", f, "/f")
        entry = pool.json("fot", "/f")[0]
        same((entry["count"], len(entry["entries"])), (1, 1))
        part = entry["entries"][0]["target"]
        same(entry["entries"][0]["index"], 1)
        holds(pool.out("fot", "/f"), part)
        to = pool.json("refs", part, "--to")
        same({r["kind"] for r in to}, {"pointer", "tie"})
        same({r["from"] for r in to}, {i})
        names = [r for r in pool.json("refs", "/f") if r["kind"] == "name"]
        same([r["path"] for r in names], ["/f"])
        one_line(pool("del", part, code=1).stderr, "points to it")
        holds(pool.out("graph"), part)
        dot = pool.out("graph", "--dot")
        wanted(dot.startswith("digraph twz {\n") and dot.endswith("}\n"), dot)
        reached = pool.json("graph", "/f")
        same({r["from"] for r in reached}, {i})
        pool("graph", "--dot", "--json", code=2)


def fot_entry(flags, a, b=0, resolver=0):
    return struct.pack("<QQQQ", flags, resolver, a, b)


def test_fot_entries_by_name():
    """Each valid entry is shown, also one whose name means no object or that locates no name."""
    with new_pool() as pool:
        names = b"/data/there\0/data/none\0"
        f = pool.file("f", names + bytes(100))
        os.truncate(f, DATA_MAX + 10) # the object is continued: it has a FOT, with entry 1
        pool("put", f, "/f")
        there = pool.line("new", "/data/there")
        table = pool.page("/f", META - PAGE)
        by_name = VALID | BY_NAME | 5 # r-x
        entries = [fot_entry(by_name, PAGE), fot_entry(by_name, PAGE + 12), fot_entry(BY_NAME, PAGE),
                   fot_entry(by_name, 8)]
        pool.overwrite(table, PAGE - 5 * 32, b"".join(reversed(entries)))
        pool.overwrite(pool.meta("/f"), 16, struct.pack("<Q", 5)) # fot_count
        shown = [line.split(None, 2) for line in pool.out("fot", "/f").splitlines()]
        same([line[0] for line in shown], ["1", "2", "3", "5"])
        same([line[1:] for line in shown[1:]],
             [["r-x", f"{there}  by name /data/there"], ["r-x", "unresolved  by name /data/none"],
              ["r-x", "unresolved  by name, but the entry locates no name"]])
        entries = pool.json("fot", "/f")[0]["entries"]
        same([(e["index"], e["unresolved"], e.get("name")) for e in entries],
             [(1, False, None), (2, False, "/data/there"), (3, True, "/data/none"), (5, True, None)])
        same((entries[1]["target"], entries[2]["target"]), (there, None))
        holds(pool.out("refs", "--from", "/f"), " -> unresolved  pointer 3 /data/none\n")
        refs = {r.get("index"): r for r in pool.json("refs", "--from", "/f")}
        same((refs[2]["unresolved"], refs[3]["unresolved"], refs[3]["to"]), (False, True, None))
        holds(pool.out("graph", "--dot"), '-> "unresolved" [label="pointer /data/none"]')
        pool("lost", "--delete")
        pool("del", there, code=1)


def test_info_of_metadata_without_the_magic_number():
    """A program need not write it."""
    with new_pool() as pool:
        pool("put", pool.file("f", b"123456789"), "/f")
        pool("new", "/empty")
        pool.overwrite(pool.meta("/f"), 0, bytes(8))
        holds(pool.out("info", "/f"), "metadata   written")
        holds(pool.out("info", "/empty"), "metadata   never written")
        same([o["metadata"] for o in pool.json("info", "/f", "/empty")], [True, False])


def test_du():
    with new_pool() as pool:
        pool("put", pool.file("f", noise(10 * PAGE)), "/data/f")
        pool("ln", "/data/f", "/data/g")
        d = pool.json("du", "/data", "/data/f")
        same(d[1]["media"], 11 * PAGE + 512)
        same((d[0]["objects"], d[0]["size"]), (2, 10 * PAGE))
        wanted(d[0]["media"] > d[1]["media"], "the directory counts")
        holds(pool.out("du", "-h"), "/")


def test_diff():
    with new_pool() as pool:
        pool("put", pool.file("f", noise(10000)), "/a")
        pool("cp", "/a", "/b")
        pool("diff", "/a", "/b")
        other = bytearray(noise(10000))
        other[7777] ^= 1
        pool("put", pool.file("f", bytes(other)), "/b")
        holds(pool.out("diff", "/a", "/b", code=1), "7777")
        same(pool.out("diff", "--exit-code", "/a", "/b", code=1), "")
        same(pool.json("diff", "/a", "/b", code=1), [{"same": False, "offset": 7777}])
        pool("put", pool.file("f", noise(10001)[:10000] + b"x"), "/b")
        pool("diff", "/a", "/b", code=1)
        pool("diff", "/a", "/none", code=3)


def test_lost():
    with new_pool() as pool:
        ids = sorted(pool.out("new", "--count", "5").split())
        same(sorted(o["id"] for o in pool.json("lost")), ids)
        pool("mkdir", "/found")
        pool("lost", "--link", "/found")
        same(pool.out("ls", "/found").split(), ids)
        same(pool.lost(), [])
        pool("rm", "-r", "/found")
        same(sorted(line.split()[0] for line in pool.lost()), ids)
        pool("lost", "--delete")
        same(pool.lost(), [])
        same(pool.json("df")[0]["objects"], 8)
        pool("lost", "--link", "/none", code=3)
        pool("lost", "--link", "/data", "--delete", code=2)
        pool.check()


# --- batch -----------------------------------------------------------------------------------

def test_batch():
    with new_pool() as pool:
        f = pool.file("two words", b"data")
        lines = f"""
            # a comment
            mkdir /data/d
            put '{f}' "/data/d/two words"   # behind a command, too
            new /data/a\\ b
            ls /data
        """
        r = pool("batch", input=lines)
        same(r.stdout.splitlines()[-2:], ["a b", "d"])
        same(pool.out("cat", "/data/d/two words"), "data")
        r = pool("batch", "-", input="mkdir /x\nmkdir /x\nmkdir /y\n", code=1)
        one_line(r.stderr, "line 2: ", "/x")
        same("y" in pool.out("ls").split(), False)
        pool("batch", "--keep-going", input="mkdir /x\nmkdir /y\n", code=1)
        same("y" in pool.out("ls").split(), True)
        for bad in ("mkpool x", "check", "batch", "--pool x ls", "ls --json", "none", "new 'x",
                    "new " + "x " * 300):
            pool("batch", input=bad + "\n", code=2)
        pool("batch", pool.file("b", b"ls\n"))
        pool("batch", "/none/file", code=3)
        both = json.loads(pool.out("--json", "batch", input="stat /data\nstat /tmp\n"))
        same([o["path"] for o in both["objects"]], ["/data", "/tmp"])
        same(len(pool.json("batch", "--sync", input="new\nnew\n")), 2)
        pool.check()


def test_a_hundred_thousand_in_a_batch():
    with new_pool("1G") as pool:
        lines = "".join(f"new /data/n{i}\n" for i in range(20000)) + "new\n" * 80000
        same(len(set(pool.out("batch", input=lines).split())), 100000)
        same(pool.json("df")[0]["objects"], 100008)
        same(len(pool.out("ls", "/data").split()), 20000)
        pool.check()


# --- the command line ------------------------------------------------------------------------

def test_usage():
    with new_pool() as pool:
        for words in ((), ("none",), ("ls", "--none"), ("ls", "-z"), ("mkpool", "--size"), ("mv", "/a"),
                      ("cat", "/a", "--json"), ("new", "/a", "/b"), ("id", "")):
            r = pool(*words, code=2)
            wanted(r.stderr or not words, "no message")
        holds(pool.out("--help"), "mkpool", "Exit status")
        holds(pool.out("put", "--help"), "--update")
        holds(pool.out("--version"), "twz-obj ")
        env = {**os.environ, "TWZ_POOL": pool.path}
        r = subprocess.run([TOOL, "ls"], env=env, capture_output=True, text=True)
        same((r.returncode, "data" in r.stdout), (0, True))
        env.pop("TWZ_POOL")
        r = subprocess.run([TOOL, "ls"], env=env, capture_output=True, text=True)
        same(r.returncode, 2)
        one_line(r.stderr, "--pool", "TWZ_POOL")


def test_json_of_every_command_is_a_document():
    with new_pool() as pool:
        f = pool.file("f", b"\x7fELF")
        for words in (["put", f, "/a"], ["new"], ["mkdir", "/d"], ["ls", "-R"], ["tree"], ["df"], ["id", "/a"],
                      ["stat", "/a"], ["info", "/", "/a"], ["ln", "/a", "/b"], ["mv", "/b", "/c"],
                      ["cp", "/a", "/e"], ["fot", "/a"], ["refs", "/a"], ["dump", "/a"], ["du"],
                      ["diff", "/a", "/e"], ["graph"], ["lost"], ["rm", "/c"], ["boot", "/a"],
                      ["lost", "--delete"], ["check"], ["get", "/a", f]):
            pool.json(*words)
        pool.json("stat", "/none", code=3)


def test_output_that_cannot_be_written():
    with new_pool() as pool, open("/dev/full", "wb") as full:
        for words in (["ls"], ["--help"], ["df", "--json"]):
            r = subprocess.run([TOOL, "--pool", pool.path, *words], stdout=full,
                               stderr=subprocess.PIPE, text=True)
            same(r.returncode, 6)
            one_line(r.stderr, "standard output")


def test_closed_streams_never_reach_the_pool():
    with new_pool() as pool:
        before = content(pool.path)
        for redirections in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            for words in ("df", "ls /none", "batch"):
                subprocess.run(f"exec {redirections}; exec '{TOOL}' --pool '{pool.path}' {words}",
                               shell=True, capture_output=True)
            same(content(pool.path), before, redirections)
        r = subprocess.run(f"exec >&-; exec '{TOOL}' --pool '{pool.path}' df", shell=True,
                           stderr=subprocess.PIPE, text=True)
        one_line(r.stderr, "standard output")
        r = subprocess.run(f"exec <&-; exec '{TOOL}' --pool '{pool.path}' put - /x", shell=True,
                           stderr=subprocess.PIPE, text=True)
        same(r.returncode, 1)
        one_line(r.stderr, "standard input")
        pool.check()


def test_a_pool_without_a_name():
    with new_pool() as pool, open(pool.path, "r+b") as f:
        os.unlink(pool.path)
        more = {"pass_fds": [f.fileno()]}
        pool.path = f"/dev/fd/{f.fileno()}"
        pool("new", "/data/x", **more)
        same(pool.out("ls", "/data", **more), "x\n")
        pool("check", **more)


counting.run(globals(), *sys.argv[3:4])

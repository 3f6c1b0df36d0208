#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The words of comments, documents and names. Prints FILE:LINE: problem; ends with 1 if any.

Usage: check_language.py [--long] [--count] [TREE [PATH-PREFIX...]]

Read are the comments of C, assembly, tables, scripts and build files, the added lines of patches,
documents (.md, man pages) and the identifiers of C and Python code. Strings are not read.

--long   also print each sentence of a comment with more than 40 words; these are not problems
--count  print the number of problems for each module and each term instead of the problems
"""

import collections
import io
import os
import re
import sys
import tokenize

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource
import tree

TEXT, CODE, BOTH = "text", "code", "both"

# (pattern, where it is looked for, use instead[, the only folders and files where it counts]).
# TEXT: the pattern stands between word boundaries; a space matches any white space. CODE: it is one
# part or several parts of an identifier, so that leave_stack is found in libtwix_leave_stack.
# Identifiers with an underscore in a text are read as code.
TERMS = [
    # persons
    ("whoever|whomever|somebody|nobody", TEXT, "the actor: the caller, the core, the kernel"),
    ("he|his|him|himself|she|her", TEXT, "it, its"),
    # objects, pages, the store
    ("power[- ]cuts?|cut of power", TEXT, "power failure"),
    ("(?:un)?hangers?|unhang(?:s|ed|ing)?|unhung", BOTH, "mapping, map, unmap (of a slot)"),
    ("hang(?:s|ing)?|hung", TEXT, "map, link",
     "kernel/mm kernel/obj kernel/page kernel/kso kernel/store kernel/include"),
    ("hung", TEXT, "mapped, linked", "doc/architecture.md doc/decisions libtwz/include"),
    ("hang(?:s|ing)?|hung", CODE, "map", "kernel libtwz libtwix"),
    ("breath(?:e|es|ed|ing)?", BOTH, "preemption point; opens an interrupt window"),
    ("chores?", BOTH, "deferred work"),
    ("verdicts?", BOTH, "access decision"),
    ("(?:the|two|both|between) (?:two )?sorts", TEXT, "volatile and persistent objects"),
    ("sorts?", TEXT, "volatile and persistent objects", "kernel"),
    ("(?:a|the|this|each|no|every) moves? (?:in|out)(?! progress)|moved in(?! \w)", TEXT,
     "to_nvm, to_dram"),
    ("moved?_(?:in|out)", CODE, "to_nvm, to_dram"),
    ("record_(?!fill|update|map|magic)\w+", CODE, "in-core object", "kernel/obj kernel/page kernel/kso"),
    ("leaving", CODE, "evicting", "kernel"),
    ("bury|buries|buried|burial|burying", BOTH, "write the tombstone, delete"),
    ("deaths?", TEXT, "deletion", "kernel"),
    ("(?:dead|dying) objects?|objects? (?:dies|died)", TEXT, "deleted object, is deleted"),
    ("deaths?|dying|dies?|died|kill(?:s|ed)?", CODE, "delete, tombstone, free",
     "kernel/obj kernel/page kernel/store"),
    ("never (?:go|goes|went|gone|going) back(?:wards)?", TEXT, "monotonic counter"),
    ("places?", CODE, "location", "kernel/store"),
    ("(?<!_)space(?=_)", CODE, "frame allocator", "kernel/store"),
    ("page_own", CODE, "break copy-on-write"),
    ("lend(?:s|ing)?|lent|borrow(?:s|ed|ing)?", BOTH, "share (store), inherit (libtwix)"),
    ("crowd(?:s|ed|ing)?", BOTH, "saturated"),
    ("drain(?:s|ed|ing)?", BOTH, "deferred free", "kernel/store kernel/obj kernel/page"),
    ("swe(?:ep(?:s|er|ing)?|pt)", BOTH, "reclaim (store), reap (libtwix)",
     "kernel libtwix utils doc"),
    ("kept", CODE, "retained", "kernel/store"),
    ("doom(?:s|ed|ing)?", BOTH, "marked"),
    # critical sections, interrupts, threads
    ("(?:in|of|under|by|within) (?:this|that|one|a|each|the same) hold", TEXT, "critical section"),
    ("locks? (?:falls?|fell)", TEXT, "is released"),
    ("(?:lost|loses|lose) (?:a |the |its )?(?:cache )?lines?", TEXT,
     "uncorrectable memory error, poisoned line"),
    ("(?:un)?noted", CODE, "bad-page list", "kernel"),
    ("unasked", BOTH, "automatic write-back"),
    ("(?:stands?|stood|standing) at (?:its|the|a) (?:SYSCALL|call|system call)", TEXT,
     "is parked on the SYSCALL instruction"),
    ("go(?:es)? on behind", TEXT, "continues after"),
    ("kick(?:s|ed|ing)?", BOTH, "reschedule IPI",
     "kernel/core kernel/arch kernel/include kernel/obj kernel/kso kernel/sys"),
    ("attention", BOTH, "need_resched", "kernel"),
    ("looks?", CODE, "re-evaluate", "kernel/core kernel/include"),
    ("stays|(?<!_)place$", CODE, "keep_running, select_cpu", "kernel/core"),
    ("mend(?:s|ed|ing)?", BOTH, "repair, resolve (a fault)"),
    ("incarnations?", BOTH, "thread generation"),
    ("facts", CODE, "system information page", "kernel/obj kernel/kso libtwz"),
    ("rooms?", TEXT, "module (a folder), space (free bytes)"),
    ("bounded pieces?", TEXT, "batch (of bounded work)"),
    ("pieces?", BOTH, "batch (of bounded work)",
     "kernel/core kernel/obj kernel/page kernel/kso kernel/store kernel/sys kernel/include"),
    ("(?:said|told)(?! apart)", TEXT, "reported, notified, stated"),
    ("said|told", CODE, "err, reported", "kernel libtwz libtwix objects utils"),
    # structured objects
    ("see|busy|forward|agrees?", CODE, "peer_intent, dirty, committed, validates",
     "objects/hier"),
    ("enem(?:y|ies)", BOTH, "adversary"),
    ("visitors?", BOTH, "accessor", "objects libtwz doc"),
    ("tak(?:e|es|en|ing) part|took part", TEXT, "consents"),
    ("patience|patient", BOTH, "lock timeout, attempt, retry"),
    # the runtime
    ("hand(?:s|ed|ing)?[- ]?overs?", TEXT, "inherit, transfer", "libtwix libtwz musl-port"),
    ("hand_?over", CODE, "inherit, transfer", "libtwix libtwz"),
    ("tak(?:e|es|en|ing) back|took back", TEXT, "revoke", "libtwix"),
    ("take_back", CODE, "revoke", "libtwix"),
    ("introduce|settle|begin|launch|tell_number|hand_on|leave_stack", CODE,
     "bind_tls, setup_alt_stack, thread_main, spawn, publish_tid, forward_signal, exit_unmapped",
     "libtwix"),
]

# A sentence must not begin with one of these.
BEGINNING = re.compile(r"(?:who|whoever|what|nobody|whom|whose)\b", re.IGNORECASE)
SENTENCE = re.compile(r"(?:[.!?][\"')]*\s+|\n\s*\n)")
LONG = 40
LIST_MARK = re.compile(r"^\s*(?:[-*·•]|\d+[.)]|\w+[.:)]\s)\s*")

C_LIKE = (".c", ".h", ".def")
HASH = re.compile(r"(?:^|(?<=\s))#(?!!)(.*)")
HASH_FILES = (".sh", "meson.build", "meson.options", ".gdb", ".bash", ".ld.in", ".yml", ".py")
DOCUMENTS = (".md", ".1")
IDENTIFIER = re.compile(r"[A-Za-z]\w*_\w*|\w*_[A-Za-z]\w*")
NAME = re.compile(r"[A-Za-z_]\w*")
SKIPPED = {"LICENSE", "meson_options.txt", ".gitignore"}


class Term:
    def __init__(self, pattern, where, use, under=""):
        self.use, self.under = use, tuple(under.split())
        self.text = self.code = None
        if where != CODE:
            spaced = re.sub(r"(?<!-) ", r"\\s+", pattern)
            self.text = re.compile(rf"\b(?:{spaced})\b", re.IGNORECASE)
        if where != TEXT:
            self.code = re.compile(rf"(?:^|_)(?:{pattern})(?=_|$|\d)", re.IGNORECASE)

    def holds_in(self, path):
        return not self.under or any(path == f or path.startswith(f + "/") for f in self.under)


ALL = [Term(*row) for row in TERMS]


def kind_of(path, text):
    """How comments look in this file: "c", "python", "hash", "text", "patch" or None."""
    name = os.path.basename(path)
    if name in SKIPPED or "\0" in text:
        return None
    if name.endswith(C_LIKE + (".S", ".ld.in", ".ld")):
        return "c"
    if name.endswith(".patch"):
        return "patch"
    if name.endswith(DOCUMENTS):
        return "text"
    if name.endswith(".py") or re.match(r"#!.*python", text):
        return "python"
    if name.endswith(HASH_FILES) or text.startswith("#!") or "." not in name:
        return "hash"
    return None


def joined(comments):
    """Comments alone on lines that follow each other are one text. Takes (line, text, alone)."""
    blocks, last = [], None
    for line, text, alone in comments:
        if blocks and alone and last == line - 1 and "\n" not in text:
            blocks[-1] = (blocks[-1][0], blocks[-1][1] + "\n" + text)
        else:
            blocks.append((line, text))
        last = line if alone and "\n" not in text else None
    return blocks


def read_c(text):
    source = csource.Source(text)
    comments = [(c.line, csource.words_of(c.text), c.alone) for c in source.comments]
    names = [(number, name) for number, line in enumerate(source.lines, 1)
             if not line.lstrip().startswith("#include") for name in NAME.findall(line)]
    return joined(comments), names


def read_python(text):
    comments, names, statement = [], [], True
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        line, column = token.start
        if token.type == tokenize.COMMENT:
            if not token.string.startswith("#!"):
                comments.append((line, token.string.lstrip("#"), not token.line[:column].strip()))
            continue
        if token.type == tokenize.STRING and statement: # a docstring
            comments.append((line, token.string.strip("\"'"), False))
        elif token.type == tokenize.NAME:
            names.append((line, token.string))
        if token.type != tokenize.NL:
            statement = token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    return joined(comments), names


def read_hash(text):
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        match = HASH.search(line)
        if match:
            found.append((number, match.group(1), not line[:match.start()].strip()))
    return joined(found), []


def read_patch(text):
    """The words above the first file, and what the patch adds."""
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if line.startswith(("diff ", "--- "))), 0)
    added = [line[1:] if line.startswith("+") and not line.startswith("+++") else ""
             for line in lines[start:]]
    blocks, names = read_c("\n" * start + "\n".join(added))
    return [(1, "\n".join(lines[:start]))] + blocks, names


def read(path, text):
    """([(line, comment or text)], [(line, identifier)], whether the texts are comments)."""
    kind = kind_of(path, text)
    if kind is None:
        return [], [], False
    if kind == "text":
        return [(1, text)], [], False
    readers = {"c": read_c, "python": read_python, "hash": read_hash, "patch": read_patch}
    return (*readers[kind](text), True)


def sentences(text):
    """(offset, sentence) of a comment; blank lines, list marks and table rows separate, too."""
    start = 0
    for match in list(SENTENCE.finditer(text)) + [None]:
        end = match.start() if match else len(text)
        part = text[start:end]
        offset = start + len(part) - len(part.lstrip())
        mark = LIST_MARK.match(part[offset - start:])
        offset += mark.end() if mark else 0
        yield offset, text[offset:end]
        start = match.end() if match else end


def text_problems(path, line, text, is_comment):
    """(line, term, what is wrong) of one comment or document."""
    for term in ALL:
        if term.text and term.holds_in(path):
            for match in term.text.finditer(text):
                word = re.sub(r"\s+", " ", match.group())
                yield line + text.count("\n", 0, match.start()), word, term.use
    for match in IDENTIFIER.finditer(text):
        where = line + text.count("\n", 0, match.start())
        yield from name_problems(path, where, match.group())
    for offset, sentence in sentences(text) if is_comment else ():
        match = BEGINNING.match(sentence)
        if match:
            yield (line + text.count("\n", 0, offset), f"{match.group()} ...",
                   "a sentence that begins with the actor")


def name_problems(path, line, name):
    for term in ALL:
        match = term.code and term.holds_in(path) and term.code.search(name)
        if match:
            yield line, name, term.use


def file_problems(path, text):
    blocks, names, are_comments = read(path, text)
    for line, block in blocks:
        yield from text_problems(path, line, block, are_comments)
    seen = set()
    for line, name in names:
        if name not in seen:
            seen.add(name)
            yield from name_problems(path, line, name)


def long_sentences(path, text):
    blocks, _, are_comments = read(path, text)
    for line, block in blocks if are_comments else ():
        for offset, sentence in sentences(block):
            words = len(re.findall(r"[A-Za-z][\w'’-]*", sentence))
            if words > LONG:
                yield line + block.count("\n", 0, offset), words, " ".join(sentence.split()[:8])


def problems_of(top, prefixes=()):
    """(number of files looked at, [(path, line, word, use instead), ...])."""
    count, found = 0, []
    for path in tree.files(top):
        if path.startswith(tuple(prefixes)) if prefixes else True:
            text = tree.read(top, path)
            if kind_of(path, text):
                count += 1
                found += [(path, *p) for p in sorted(set(file_problems(path, text)))]
    return count, found


def check(top, prefixes=()):
    """(number of files looked at, ["FILE:LINE: problem", ...])."""
    count, found = problems_of(top, prefixes)
    return count, [f"{path}:{line}: {word!r} (use: {use})" for path, line, word, use in found]


def print_count(found):
    modules = collections.Counter(tree.module(path) for path, *_ in found)
    terms = collections.Counter((use, word.lower()) for _, _, word, use in found)
    for module, number in sorted(modules.items()):
        print(f"{number:5} {module}")
    for (use, word), number in terms.most_common():
        print(f"{number:5} {word} (use: {use})")


def print_long(top, prefixes):
    for path in tree.files(top):
        if path.startswith(tuple(prefixes)) if prefixes else True:
            for line, words, begin in long_sentences(path, tree.read(top, path)):
                print(f"{path}:{line}: {words} words: {begin} ...")


def main(arguments):
    places = [a for a in arguments if not a.startswith("--")] or ["."]
    top, prefixes = places[0], places[1:]
    if "--long" in arguments:
        print_long(top, prefixes)
    count, found = problems_of(top, prefixes)
    if "--count" in arguments:
        print_count(found)
    else:
        for path, line, word, use in found:
            print(f"{path}:{line}: {word!r} (use: {use})")
    if not found:
        print(f"{count} files keep to the language")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

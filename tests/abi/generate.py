# SPDX-License-Identifier: MIT
"""Writes a C program that prints every layout and number of the given headers.

Usage: generate.py OUT HEADER-DIR HEADER...

Structs are found by their form in the headers (HOUSE style: `struct name {` at the start of a line,
`};` ends it); macros that stand for a number are printed by value. The C compiler does the rest.
"""

import os
import re
import sys

STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\};?", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
DEFINE = re.compile(r"^#define (\w+)[ \t]+(\S.*)$", re.MULTILINE)
FIELD = re.compile(r"(\w+)\s*(?:\[[^\]]*\])*$")
NOT_NUMBERS = re.compile(r'"|\bdo\b|^\(\((?:struct|objid_t)|_H$|\(\(objid_t')


def strip_anonymous(body):
    """Fields of anonymous unions and structs belong to the struct around them."""
    body = re.sub(r"\bunion \{|\bstruct \{", "{", body)
    while True:
        flat = re.sub(r"\{([^{}]*)\}\s*;", r"\1", body)
        flat = re.sub(r"\{[^{}]*\}\s*(\w+)\s*;", r"int \1;", flat)
        if flat == body:
            return body
        body = flat


def fields(body):
    for line in strip_anonymous(COMMENT.sub("", body)).split(";"):
        line = re.sub(r"_Alignas\(\d+\)", "", line).strip()
        for part in line.split(","):
            m = FIELD.search(part.strip())
            if m and line:
                yield m[1], part.strip().endswith("[]")


def main(out, root, *headers):
    with open(out, "w", encoding="ascii") as c:
        c.write("/* Generated from the headers. */\n#include <stdio.h>\n")
        for header in headers:
            c.write(f"#include <{header}>\n")
        c.write("int main(void)\n{\n")
        for header in headers:
            with open(os.path.join(root, header), encoding="utf-8") as f:
                text = f.read()
            c.write(f'    puts("# {header}");\n')
            for m in STRUCT.finditer(text):
                name = f"struct {m[1]}"
                c.write(f'    printf("{name} %zu align %zu\\n", sizeof({name}), _Alignof({name}));\n')
                for field, open_ended in fields(m[2]):
                    size = "(size_t)0" if open_ended else f"sizeof((({name} *)0)->{field})"
                    c.write(f'    printf("  {field} %zu+%zu\\n", offsetof({name}, {field}), {size});\n')
            for name, value in DEFINE.findall(COMMENT.sub("", text)):
                if not NOT_NUMBERS.search(value) and not NOT_NUMBERS.search(name):
                    c.write(f'    printf("{name} 0x%llx\\n", (unsigned long long)({name}));\n')
        c.write('    puts("# calls and errors");\n')
        c.write("#define SYSCALL(number, name, effect, run, count, ...) \\\n"
                '    printf("call %d " #name " " #effect " %d\\n", number, count);\n'
                "#include <twz/syscall.def>\n"
                '#define TWZ_ERROR(name, number, text) printf("error %d " #name "\\n", number);\n'
                "#include <twz/error.def>\n"
                "#undef TWZ_ERROR\n")
        if "twz/fault.h" in headers:
            c.write("#define TWZ_FAULT_KIND(name, number, signal, text) \\\n"
                    '    printf("fault kind %d " #name " " #signal "\\n", number);\n'
                    "#define TWZ_FAULT_REASON(name, number, text) \\\n"
                    '    printf("fault reason %d " #name "\\n", number);\n'
                    "#include <twz/fault.def>\n")
        c.write("    return 0;\n}\n")


main(*sys.argv[1:])

# SPDX-License-Identifier: MIT
"""A lexical reader of C sources: comments, code and function definitions, with line numbers.

The reader relies on the format of this tree (./twz fmt): a definition starts in column 0, and its
body lies between a line "{" and a line "}" in column 0, or is an empty "{}" behind the header.
Functions that a macro or a .def table defines are not seen.
"""

import re
from typing import NamedTuple

TOKEN = re.compile(r'/\*.*?(?:\*/|\Z)|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                   re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"\n]+)[>"]', re.MULTILINE)
NAME = re.compile(r"[A-Za-z_]\w*")
CALLEE = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
ATTRIBUTE = re.compile(r"(?:__attribute__|_Alignas|__asm__|__declspec)\s*"
                       r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)")
# Macros of the test library that stand for a header: the argument is the name.
HEADER_MACRO = re.compile(r"^(?:START_TEST|END_TEST)$")


class Comment(NamedTuple):
    line: int
    text: str   # with its marks
    alone: bool # nothing but white space before it on its line


class Function(NamedTuple):
    name: str
    static: bool
    first: int # line of the header
    body: int  # line of the "{"
    last: int  # line of the "}"
    header: str

    @property
    def lines(self):
        return self.last - self.first + 1


class Source:
    """One file. `code` has the length and the lines of `text`; comments and strings are blank."""

    def __init__(self, text):
        self.text = text
        self.comments = []
        self.code = self._blank_tokens()
        self.lines = self.code.split("\n")
        self.functions = list(self._find_functions())

    def _blank_tokens(self):
        def blank(match):
            token = match.group()
            if token.startswith(("/*", "//")):
                start = self.text.rfind("\n", 0, match.start()) + 1
                before = self.text[start:match.start()]
                self.comments.append(Comment(line_of(self.text, match.start()), token,
                                             not before.strip()))
                return re.sub(r"[^\n]", " ", token)
            return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]
        return TOKEN.sub(blank, self.text)

    def _find_functions(self):
        last = 0
        for number, line in enumerate(self.lines, 1):
            empty = line[:1].strip() not in ("", "#", "}") and re.search(r"\)\s*\{\}\s*$", line)
            if number <= last or not (line.rstrip() == "{" or empty):
                continue
            first = self._header_start(number if empty else number - 1)
            header = " ".join(self.lines[first - 1:number]).replace("{", "").strip()
            name = header_name(header)
            if name is None:
                continue
            last = number if empty else self._body_end(number)
            yield Function(name, bool(re.search(r"\bstatic\b", header)), first, number, last,
                           re.sub(r"\s+", " ", header.rstrip("} ")))

    def _header_start(self, number):
        """The first line of the header that ends on line `number`."""
        while number > 1:
            before = self.lines[number - 2].rstrip()
            if not before or before.endswith((";", "}", ":")) or before.startswith("#"):
                break
            number -= 1
        return number

    def _body_end(self, number):
        for last in range(number + 1, len(self.lines) + 1):
            if self.lines[last - 1].startswith("}"):
                return last
        return len(self.lines)

    def includes(self):
        """(line, "<" or quote, name) of each include."""
        for match in INCLUDE.finditer(self.text):
            start = match.start() + match.group().index("#")
            if self.code[start] == "#":
                yield line_of(self.text, start), match.group(1), match.group(2)

    def names(self):
        """(line, name) of each identifier that may stand for a function: no members, no tags, and
        no names of an include."""
        for number, line in enumerate(self.lines, 1):
            if line.lstrip().startswith("#") and "include" in line:
                continue
            for match in NAME.finditer(line):
                before = line[:match.start()].rstrip()
                if before.endswith(("->", ".")) and not before.endswith("..."):
                    continue
                if re.search(r"\b(struct|union|enum|goto)$", before):
                    continue
                yield number, match.group()


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def header_name(header):
    """The name that a header defines, or None."""
    match = CALLEE.search(ATTRIBUTE.sub(" ", header))
    if not match or re.search(r"[=]", header[:header.find("(")]):
        return None
    if HEADER_MACRO.match(match.group(1)):
        inside = NAME.search(header, header.find("(") + 1)
        return inside and inside.group()
    return match.group(1)


def words_of(comment):
    """The text of a comment without its marks; one line for each line of the comment."""
    text = re.sub(r"^/\*+|\*+/$|^//+", "", comment)
    return "\n".join(re.sub(r"^\s*\*(?=\s|$)", "", line) for line in text.split("\n"))

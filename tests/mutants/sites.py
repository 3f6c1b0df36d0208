# SPDX-License-Identifier: MIT
"""Where C sources can be broken, and how: mutants, found by operators that know nothing of the code.

    for site in sites.of_file("kernel/sec/check.c", text):
        broken = site.apply(text)

A site lies inside a function. Its key (file, function, operator, the text of its lines, and a number
where these are equal) stays the same when other code changes.

  negate       the condition of an if or a loop becomes its opposite
  drop-error   an if that only leaves with an error never does
  boundary     < and <=, > and >= are exchanged
  equal        == and != are exchanged
  logic        && and || are exchanged
  arith        + and - are exchanged
  drop-call    a statement that is one call (a flush, a fence, a lock, a check) is left out
  drop-store   a statement that stores to memory is left out
  rights       READ and WRITE are exchanged; EXEC, DEL and USE are no longer asked for or given
  constant     a number becomes one more
  truth        return true and return false are exchanged
"""

import os
import re
import sys
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../utils/dev"))
import csource

EXCHANGED = {
    "boundary": {"<": "<=", "<=": "<", ">": ">=", ">=": ">"},
    "equal": {"==": "!=", "!=": "=="},
    "logic": {"&&": "||", "||": "&&"},
    "arith": {"+": "-", "-": "+"},
}
OPERATOR_OF = {sign: name for name, signs in EXCHANGED.items() for sign in signs}
BINARY = re.compile(r"(?<=[\w)\]] )(<=|>=|<|>|==|!=|&&|\|\||\+|-)(?= |\n)")
RIGHTS = {"TWZ_READ": "TWZ_WRITE", "TWZ_WRITE": "TWZ_READ", "TWZ_EXEC": "0u", "TWZ_DEL": "0u",
          "TWZ_USE": "0u"}
RIGHT = re.compile(r"\b(?:" + "|".join(RIGHTS) + r")\b")
NUMBER = re.compile(r"(?<![\w.'\"-])(0|[1-9]\d*)([uUlL]*)(?![\w.'\"])")
TRUTH = re.compile(r"\breturn (true|false);")
CONDITION = re.compile(r"\b(?:if|while) \(")
LEAVES = re.compile(r"\s*\{?\s*(?:return (?:-TWZ_E\w+|-[A-Z]\w*|err|ret|r|false|NULL);|goto \w+;)")
STATEMENT = re.compile(r"(?:(?<=[;{}])|(?<=\belse)|(?<=\bdo))(\s+)(?=[A-Za-z_*(])")
CALL = re.compile(r"(\w+)\(")
STORE = re.compile(r"(?:\*|\(\*)?\w+(?:(?:->|\.)\w+|\[[^\];]*\])*\s*(?:[-+|&^]|<<|>>)?=(?!=)")
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "do", "else", "goto", "case"}
# These only help the reader of a log, the compiler or a debugger, or only save time.
DIAGNOSTIC = re.compile(r"^(?:log|trace|print|printf|fprintf|puts|putchar|assert|kassert|panic\w*|"
                        r"arch_pause|__builtin_\w+|static_assert|_Static_assert|va_\w+)")


class Site(NamedTuple):
    file: str
    line: int
    function: str
    operator: str
    words: str  # the text of the site's lines, white space made one
    number: int # among sites that are equal in all of this
    start: int
    end: int
    text: str   # comes in place of start to end

    @property
    def key(self):
        return (self.file, self.function, self.operator, self.words, self.number)

    def apply(self, source):
        old = source[self.start:self.end]
        return source[:self.start] + self.text + "\n" * (old.count("\n") - self.text.count("\n")) \
            + source[self.end:]

    def __str__(self):
        return f"{self.file}:{self.line}: {self.function}: {self.operator}"


def closing(code, at):
    """The offset of the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] in "([{") - (code[i] in ")]}")
        if not depth:
            return i
    return len(code)


def conditions(code, start, end):
    for match in CONDITION.finditer(code, start, end):
        first = match.end()
        last = closing(code, first - 1)
        inside = code[first:last]
        if not inside.strip() or inside.strip().isdigit():
            continue
        yield "negate", first, last, f"!({inside})"
        if match.group().startswith("if") and LEAVES.match(code, last + 1):
            yield "drop-error", first, last, f"0 && ({inside})"


def exchanges(code, start, end):
    for match in BINARY.finditer(code, start, end):
        sign = match.group(1)
        operator = OPERATOR_OF[sign]
        yield operator, match.start(1), match.end(1), EXCHANGED[operator][sign]
    for match in RIGHT.finditer(code, start, end):
        yield "rights", match.start(), match.end(), RIGHTS[match.group()]
    for match in TRUTH.finditer(code, start, end):
        other = "false" if match.group(1) == "true" else "true"
        yield "truth", match.start(1), match.end(1), other


def numbers(code, start, end):
    for match in NUMBER.finditer(code, start, end):
        line = code[code.rfind("\n", 0, match.start()) + 1:match.start()]
        if re.search(r"\bcase\b|^\s*#|\bfor \(.*= $", line):
            continue
        if match[1] == "0" and line.endswith(("< ", ">= ")): # the same as boundary
            continue
        yield "constant", match.start(), match.end(), f"{int(match[1]) + 1}{match[2]}"


def statements(code, start, end):
    """Statements that are one call, or one store to memory."""
    for match in STATEMENT.finditer(code, start, end):
        first = match.end()
        semicolon = code.find(";", first, end)
        if semicolon < 0:
            continue
        call = CALL.match(code, first)
        if call and call[1] not in KEYWORDS and not DIAGNOSTIC.match(call[1]):
            if closing(code, call.end() - 1) == semicolon - 1:
                yield "drop-call", first, semicolon, ""
            continue
        store = STORE.match(code, first, semicolon)
        if store and re.match(r"\*|\(\*|\w+(?:->|\.|\[)", store.group()):
            yield "drop-store", first, semicolon, ""


def of_file(path, text):
    """The sites of a file, in the order of the text."""
    source = csource.Source(text)
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    found, counts = [], {}
    for function in source.functions:
        start, end = starts[function.body - 1], min(starts[function.last], len(source.code))
        for rule in (conditions, exchanges, numbers, statements):
            found += [(first, last, operator, function.name, new)
                      for operator, first, last, new in rule(source.code, start, end)]
    result = []
    for first, last, operator, function, new in sorted(found):
        line = csource.line_of(text, first)
        whole = text[starts[line - 1]:text.find("\n", last)]
        words = re.sub(r"\s+", " ", whole).strip()
        number = counts.setdefault((function, operator, words), 0)
        counts[function, operator, words] += 1
        # The code is blank where strings are: what is kept of it comes from the text.
        new = new.replace(source.code[first:last], text[first:last]) if new else ""
        result.append(Site(path, line, function, operator, words, number, first, last, new))
    return result

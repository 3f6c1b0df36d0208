# SPDX-License-Identifier: MIT
"""One dialect of C: the part of the style that needs more than one line.

  pointers      !p and p in conditions, not "== NULL" and "!= NULL". A bool may be made of a
                pointer by "return p != NULL;" and "x = p != NULL;".
  errors        "err" is a result that can be an error, "ret" a value, or a value or an error; the
                names r and rc say neither.
  declarations  at the top of a block; "for (uint32_t i = 0; ..." may declare its counter.
  flags         a function named is_ or has_ returns bool, and so does a static function that
                returns only 0, 1 and comparisons.
"""

import re

import csource

NULL_TEST = re.compile(r"[!=]=\s*NULL\b|\bNULL\s*[!=]=")
HEAD = re.compile(r"(?:else\b|do\b|(?:if|while|for|switch)\s*(?=\())\s*")
VALUE = re.compile(r"return\b|[^=]*[^=!<>]=(?!=)")
ASSERTION = re.compile(r"\b(?:[a-z_]*assert\w*|must|ck_\w+|CHECK\w*)\s*\(")
WRONG_RESULT = re.compile(r"(int|int64_t)\s+(?:[^;()]*,\s*)?(rc|r)\b")
PREDICATE = re.compile(r"(?:^|_)(?:is|has)_")

QUALIFIER = (r"(?:(?:static|const|volatile|register|extern|_Atomic|_Thread_local|unsigned|signed|"
             r"long|short)\s+|_Alignas\([^)]*\)\s*)*")
KEYWORDS = (r"(?:return|goto|else|case|default|break|continue|do|if|while|for|switch|sizeof|"
            r"typedef)\b")
DECLARATION = re.compile(
    rf"{QUALIFIER}(?!{KEYWORDS})(?:(?:struct|union|enum)\s+\w+|[A-Za-z_]\w*(?:\([^()]*\))?)"
    r"(?:\s+(?:const|volatile)\b)*\s*(?:\s|\*(?:\s*(?:const|restrict|volatile)\b)?)+"
    r"(?:[A-Za-z_]\w*\s*(?:$|[=,;\[:]|__\w+__)|\(\s*\*)")
TYPE_HEAD = re.compile(r"(?:static\s+|const\s+|typedef\s+)*(?:struct|union|enum)(?:\s+\w+)?$")
NEUTRAL = re.compile(r"(?:_Static_assert\b|static_assert\b|typedef\b)")
COMPARISON = re.compile(r"[!=]=|(?<![-<])[<>]=?(?![<>])")


def body_of(source, function):
    """(code between the braces without directives, line of its first character)."""
    text = "\n".join(source.lines[function.body - 1:function.last])
    start, end = text.index("{"), text.rindex("}")
    text = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", lambda m: re.sub(r"[^\n]", " ", m.group()),
                  text[start + 1:end], flags=re.MULTILINE | re.DOTALL)
    return text, function.body


def statements(text):
    """(offset, statement, depth, kind): kind is ";", "{" (a block starts) or "}" (it ends).

    Braces of an initializer, of a compound literal or inside parentheses belong to the statement.
    """
    depth = parens = inner = start = 0
    for at, char in enumerate(text):
        chunk = text[start:at]
        if inner:
            inner += (char == "{") - (char == "}")
        elif char in "([":
            parens += 1
        elif char in ")]":
            parens -= 1
        elif char == "{" and (parens or is_value(chunk)):
            inner = 1
        elif char in "{};" and not parens:
            lead = len(chunk) - len(chunk.lstrip())
            yield start + lead, chunk.strip(), depth, char
            depth += (char == "{") - (char == "}")
            start = at + 1


def is_value(chunk):
    return bool(VALUE.match(split_heads(without_labels(chunk.strip())[0])[1]))


def split_heads(statement):
    """("if (...) else for (...)", the statement behind)."""
    end = 0
    while True:
        match = HEAD.match(statement, end)
        if not match:
            return statement[:end], statement[end:]
        end = match.end()
        if statement[end:end + 1] == "(":
            end = after_parentheses(statement, end)


def after_parentheses(text, start):
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if not depth:
            return at + 1 + len(text[at + 1:]) - len(text[at + 1:].lstrip())
    return len(text)


def without_labels(chunk):
    """The statement behind its labels, and whether there were any."""
    match = re.match(r"(?:(?:case\b[^:?]*|default|[A-Za-z_]\w*)\s*:(?!:)\s*)+", chunk)
    return (chunk[match.end():], True) if match else (chunk, False)


def late_declarations(text):
    """(offset, declaration) of each that follows a statement of its block."""
    busy = [False]  # for each open block: it has a statement already
    types = []      # depths of the open struct, union and enum bodies
    tail = False    # the next chunk follows the body of a type
    for offset, chunk, depth, kind in statements(text):
        statement, labelled = without_labels(chunk)
        if labelled:
            busy[-1] = True
        declares = tail or bool(DECLARATION.match(statement))
        if kind == "{" and TYPE_HEAD.match(statement):
            types.append(depth)
            declares = True
        if statement and not NEUTRAL.match(statement) and not (types and types[-1] < depth):
            if not declares:
                busy[-1] = True
            elif busy[-1] and not tail:
                yield offset, statement
        elif not statement and kind == "{":
            busy[-1] = True
        tail = False
        if kind == "{":
            busy.append(False)
        elif kind == "}" and len(busy) > 1:
            busy.pop()
            if types and types[-1] == depth - 1:
                types.pop()
                tail = True


def null_tests(text):
    """(offset, test) of each condition that compares with NULL."""
    for offset, chunk, _, _ in statements(text):
        statement, _ = without_labels(chunk)
        heads, _ = split_heads(statement)
        for match in NULL_TEST.finditer(statement):
            before, after = statement[len(heads):match.start()], statement[match.end():]
            if (match.start() < len(heads) or ASSERTION.search(before) or "?" in after
                    or re.search(r"(?:&&|\|\|)[^,]*$", before)
                    or re.match(r"[^,]*(?:&&|\|\|)", after)):
                yield offset + chunk.index(statement) + match.start(), match.group()


def returns(text):
    return [m.group(1).strip() for m in re.finditer(r"\breturn\b([^;]*);", text)]


def top_level(expression):
    """The expression with everything in parentheses taken out."""
    while re.search(r"\([^()]*\)|\[[^\[\]]*\]", expression):
        expression = re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", expression)
    return expression


def is_truth(expression):
    shown = top_level(expression)
    if "?" in shown:
        return False
    parts = re.split(r"&&|\|\|", shown)
    return len(parts) > 1 or shown.startswith("!") or bool(COMPARISON.search(shown))


def returns_truth(text):
    """Every return is 0, 1 or a truth value, and both answers occur."""
    found = returns(text)
    if not all(e in ("0", "1") or is_truth(e) for e in found):
        return False
    return any(is_truth(e) for e in found) or {"0", "1"} <= set(found)


def is_callback(source, function):
    """The function is named without being called, so its type is given by a table or a caller."""
    for number, line in enumerate(source.lines, 1):
        if not function.first <= number <= function.body:
            if re.search(rf"\b{function.name}\b(?!\s*\()", line):
                return True
    return False


def function_problems(source, function):
    """(line, problem) of one function."""
    text, line = body_of(source, function)

    def at(offset):
        return line + text.count("\n", 0, offset)
    for offset, test in null_tests(text):
        yield at(offset), f"{test!r} in a condition (use p or !p)"
    for offset, declaration in late_declarations(text):
        shown = " ".join(declaration.split())[:40]
        yield at(offset), f"a declaration after a statement: {shown!r}"
    for offset, chunk, _, kind in statements(text):
        match = kind == ";" and WRONG_RESULT.match(chunk)
        if match:
            name = " ".join(filter(None, match.groups()))
            yield at(offset), f"{name!r} (use err for an error, ret for a value)"
    yield from type_problems(source, function, text)


def type_problems(source, function, text):
    head = re.sub(r"\b(?:static|inline|MUST_CHECK|STORE_WARN)\b", " ", function.header)
    if not re.match(rf"\s*int\s+{function.name}\b", head) or is_callback(source, function):
        return
    if PREDICATE.search(function.name) and not re.search(r"\breturn\s+err\b", text):
        yield function.first, f"{function.name} returns int (use bool)"
    elif function.static and returns_truth(text):
        yield function.first, f"{function.name} returns only true and false (use bool)"


def problems(text):
    """[(line, problem), ...] of one C file, in the order of the lines."""
    source = csource.Source(text)
    found = []
    for function in source.functions:
        if function.body != function.last:
            found += function_problems(source, function)
    return sorted(found)

# SPDX-License-Identifier: MIT
"""survivors.txt: mutants that no test can catch, and why.

Each entry is two lines and more: "FILE | FUNCTION | OPERATOR | TEXT | NUMBER", the key of the site, and
below it, indented, the reason. Lines that begin with # are comments.
"""


def read_excuses(path):
    """{key: reason}. An entry without a reason is an error."""
    found, key = {}, None
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.startswith("#") or not line.strip():
                continue
            if line[0].isspace():
                found[key] = (found[key] + " " + line.strip()).strip()
                continue
            head, operator_on = line.rstrip("\n").split(" | ", 2)[:2], line.rstrip("\n").split(" | ", 2)[2]
            operator, rest = operator_on.split(" | ", 1)
            words, number = rest.rsplit(" | ", 1)
            key = (*head, operator, words, int(number))
            found[key] = ""
    missing = [key for key, reason in found.items() if not reason]
    if missing:
        raise ValueError(f"{path}: no reason for {missing[0]}")
    return found


def stale_excuses(excuses, all_sites):
    keys = {site.key for site in all_sites}
    return [f"survivors.txt: no such site: {' | '.join(map(str, key))}"
            for key in excuses if key not in keys]

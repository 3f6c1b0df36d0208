# SPDX-License-Identifier: MIT
"""How long a test may take before it counts as hung.

A test waits for events and counts instructions; seconds of the clock only end a hang. So a backstop is
the time that an idle machine needs at most, times FACTOR, for a machine that does other work as well.
TWZ_TEST_BACKSTOP sets another factor.
"""

import os

FACTOR = float(os.environ.get("TWZ_TEST_BACKSTOP", "5"))


def seconds(idle):
    return idle * FACTOR

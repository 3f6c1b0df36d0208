# SPDX-License-Identifier: MIT
"""Runs a machine under one of the plugins in tests/tracer."""

import functools
import os
import re
import subprocess

import counting

PLUGIN_QEMU = range(5, 9)  # major versions that load plugins of interface version 1


@functools.lru_cache
def qemu_major():
    try:
        text = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True,
                              check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r"version (\d+)", text)
    return int(found[1]) if found else 0


def require_plugins():
    """Skips the test where QEMU cannot load the plugins."""
    if qemu_major() not in PLUGIN_QEMU:
        raise counting.Skipped(f"the plugins are for QEMU {PLUGIN_QEMU[0]} to {PLUGIN_QEMU[-1]}, "
                               f"this is {qemu_major()}")


def options(build, plugin, **settings):
    """Options of twz-run for a deterministic machine with the plugin and its settings."""
    require_plugins()
    path = os.path.join(build, "tests/tracer", f"twz-{plugin}.so")
    words = ",".join([path, *(f"{key}={value}" for key, value in settings.items())])
    return ["--deterministic", "--machine-arg", "-plugin", "--machine-arg", words]

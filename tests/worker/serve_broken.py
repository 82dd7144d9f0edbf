# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that is no good as a worker, in the way that its argument says.

Runs in a sub-process of the tests in this folder.
"""

# ruff: noqa: EM101, T201, TRY003 - it misbehaves on purpose
from __future__ import annotations

import json
import os
import sys
import time


def speak_other_protocol() -> None:
    """Say `ready` with a protocol of the future."""
    print(json.dumps({"type": "ready", "protocol": 99, "version": "9.0", "pid": os.getpid()}))
    sys.stdout.flush()
    time.sleep(60)


def lack_module() -> None:
    """End as a Python without the engine's libraries ends."""
    raise ModuleNotFoundError("No module named 'torch'")


BEHAVIOURS = {
    "other_protocol": speak_other_protocol,
    "lack_module": lack_module,
    "abort": os.abort,
    "silent": lambda: time.sleep(60),
    "leave": lambda: os._exit(0),
}

if __name__ == "__main__":
    BEHAVIOURS[sys.argv[1]]()

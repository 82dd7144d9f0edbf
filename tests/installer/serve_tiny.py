# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real installer with the lock files of a tiny engine, which has no network to test.

Runs as a process, as `python -m tests.installer.serve_tiny`; TINY_LOCK names the folder of the
lock files.
"""

from __future__ import annotations

import os
from pathlib import Path

from da3_blender.contract import engine_lock
from da3_blender.installer import engine_test, install
from da3_blender.installer.__main__ import main


def answer_for_network(*_arguments):
    return {"device": "cpu", "device_name": "Tiny", "error": 0.0, "tolerance": 1e-3, "seconds": 0.1}


def fill_disk(longest_file):
    """Limit the size of files; what the system says then becomes what a full disk says."""
    import errno
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest_file, resource.RLIM_INFINITY))
    errno.ENOSPC = errno.EFBIG


if __name__ == "__main__":
    engine_lock.INSTALLER_FOLDER = Path(os.environ["TINY_LOCK"])
    engine_test.IMPORTS = ("alpha", "beta", "torch")
    install.test_network = answer_for_network
    free = os.environ.get("TINY_FREE_BYTES")
    if free:
        real = install.shutil.disk_usage
        install.shutil.disk_usage = lambda place: real(place)._replace(free=int(free))
    full = os.environ.get("TINY_FULL_AFTER")
    if full:
        fetch = install.fetch
        install.fetch = lambda *arguments: fill_disk(int(full)) or fetch(*arguments)
    main()

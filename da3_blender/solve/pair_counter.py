# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the pairs of photos that COLMAP has compared so far, by looking into its database.

Runs in the engine, never in COLMAP's child process: pycolmap brings its own SQLite, and two
copies of SQLite that open one file in one process break each other's locks.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def count_compared_pairs(path: Path) -> int:
    """Return the number of pairs in a database that another process writes; 0 if it is busy."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            row = database.execute("SELECT COUNT(*) FROM two_view_geometries").fetchone()
    except sqlite3.Error:  # locked by the writer, or not made yet; the next look will do
        return 0
    return int(row[0])

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: INP001 - a script, no package
"""Measure splats in Blender: seconds and memory for 100 thousand, 1 million and 5 million.

Runs in a Python with the bpy wheel, from the repository's root:

    PYTHONPATH=. LIBGL_ALWAYS_SOFTWARE=1 .env/blender-5.2/bin/python -P benchmarks/splats.py

Each size runs in a process of its own, so that peaks of memory do not mix. Prints the rows of the
table in docs/performance.md.
"""

from __future__ import annotations

import importlib
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

COUNTS = (100_000, 1_000_000, 5_000_000)
DEGREE = 3
RENDERED_AT_MOST = 1_000_000
"""Without a graphics card larger clouds take too long to render."""


def load(name: str) -> Any:  # noqa: ANN401 - a module
    """Import a module of the scene room."""
    return importlib.import_module(f"da3_blender.scene.{name}")


def read_peak() -> float:
    """Return the largest memory of this process so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


class Watch:
    """Collects seconds on the wall and of the processors, in order."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self._start = (time.monotonic(), time.process_time())

    def start(self) -> None:
        """Begin."""
        self._start = (time.monotonic(), time.process_time())

    def stop(self) -> None:
        """Note the seconds since the start."""
        wall, work = time.monotonic() - self._start[0], time.process_time() - self._start[1]
        self.rows.append(f"{wall:.2f} ({work:.2f})")


def measure(count: int) -> None:
    """Measure one size in this process; print a row."""
    import bpy
    import numpy as np

    from da3_blender.splats.files import SplatFormat, read_splats, write_splats
    from tests.addon import splat_scenes as scenes

    bpy.ops.wm.read_homefile(use_empty=True)
    scene, watch = bpy.context.scene, Watch()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ply"
        cloud = scenes.make_shell(count, DEGREE)
        # as many layers over a pixel whatever the count: about 30 of the 800 of the tests
        cloud = replace(cloud, scales=cloud.scales * np.float32((800 / count) ** 0.5))
        write_splats(path, cloud, SplatFormat.PLY)
        watch.start()
        cloud = read_splats(path).cloud
        watch.stop()
    load("splat_object").make_splat_object("first", cloud.take(np.arange(10)))  # makes the nodes
    watch.start()
    ob = load("splat_object").make_splat_object("splats", cloud)
    scene.collection.objects.link(ob)
    watch.stop()
    del cloud
    camera = scenes.add_camera(scene)
    scenes.place(camera, scenes.look_from((0, 0, -4)))
    sorting, objects = load("splat_sorting"), load("splat_object")
    cloud = objects.read_splat_mesh(ob.data, 0)
    row, shown = np.float32([0.1, -0.9, 0.2]), np.arange(cloud.count)
    watch.start()
    sorting.sort_far_to_near(cloud.positions, shown, row)
    watch.stop()
    del cloud
    modifier = load("splat_inputs").find_splat_modifier(ob)
    load("compat").set_modifier_input(modifier, "Show in Viewport", True)  # noqa: FBT003
    ob.update_tag()
    watch.start()
    bpy.context.evaluated_depsgraph_get().update()
    watch.stop()
    load("compat").set_modifier_input(modifier, "Show in Viewport", False)  # noqa: FBT003
    ob.update_tag()
    if count <= RENDERED_AT_MOST:
        load("splat_files").prepare_cycles(scene)
        scenes.set_up_render(scene, "CYCLES", 4)
        watch.start()
        with tempfile.TemporaryDirectory() as folder:
            scenes.render_picture(scene, Path(folder) / "a.exr")
        watch.stop()
    else:
        watch.rows.append("-")
    sys.stdout.write(f"| {count:,} | {' | '.join(watch.rows)} | {read_peak():.1f} |\n")


def main() -> None:
    """Run each size in a process, or one size in this one."""
    if len(sys.argv) > 1:
        measure(int(sys.argv[1]))
        return
    sys.stdout.write("| Gaussians | read PLY | object | sort | quads | Cycles | peak GB |\n")
    sys.stdout.write("|---|---|---|---|---|---|---|\n")
    for count in COUNTS:
        done = subprocess.run(  # noqa: S603 - this script itself
            [sys.executable, "-P", __file__, str(count)],
            capture_output=True,
            text=True,
            check=True,
        )
        lines = done.stdout.splitlines()
        sys.stdout.write(next(line for line in lines if line.startswith(f"| {count:,}")) + "\n")


main()

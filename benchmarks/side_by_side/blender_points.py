# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A million coloured points into Blender: from Python lists, and the extension's way.

Runs in Blender's Python (the bpy wheel) as a script; writes one JSON object to stdout. The way of
lists is what the community add-on DA3-blender does: `tolist`, `from_pydata`, `foreach_set` with
lists, once each for positions, colours and confidence.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from da3_blender.scene.build_options import BuildOptions  # noqa: E402
from da3_blender.scene.points import make_points  # noqa: E402
from da3_blender.scene.site import Site  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

_COUNT = 1_000_000
_ROUNDS = 3


def main() -> None:
    """Time both ways in turns and write the samples."""
    rng = np.random.default_rng(0)
    cloud = SimpleNamespace(
        name="benchmark",
        points=rng.normal(size=(_COUNT, 3)).astype(np.float32),
        colours=rng.integers(0, 256, (_COUNT, 3), dtype=np.uint8),
        confidence=rng.random(_COUNT, dtype=np.float32),
        point_view=np.zeros(_COUNT, np.int32),
    )
    ways: dict[str, Callable[[SimpleNamespace], bpy.types.Object]] = {
        "upstream": build_from_lists,
        "ours": build_like_ours,
    }
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for index in range(_ROUNDS + 1):
        for name in ways if index % 2 else reversed(ways):
            begin = time.process_time()
            built = ways[name](cloud)
            seconds = time.process_time() - begin
            check(built, cloud)
            bpy.data.meshes.remove(built.data)
            if index:  # the first round is for warming up
                samples[name].append(seconds)
    sys.stdout.write(json.dumps({"version": bpy.app.version_string, **samples}) + "\n")


def build_from_lists(cloud: SimpleNamespace) -> bpy.types.Object:
    """Build a mesh through Python lists."""
    mesh = bpy.data.meshes.new(cloud.name)
    x, y, z = cloud.points.T
    mesh.from_pydata(np.stack([x, z, -y], axis=-1).tolist(), [], [])
    rgba = np.hstack([cloud.colours / 255.0, np.ones((_COUNT, 1))])
    colour = mesh.attributes.new("point_color", "FLOAT_COLOR", "POINT")
    colour.data.foreach_set("color", rgba.flatten().tolist())
    confidence = mesh.attributes.new("conf", "FLOAT", "POINT")
    confidence.data.foreach_set("value", cloud.confidence.tolist())
    built = bpy.data.objects.new(mesh.name, mesh)
    bpy.context.collection.objects.link(built)
    return built


def build_like_ours(cloud: SimpleNamespace) -> bpy.types.Object:
    """Build the cloud as the extension does, with modifier and material."""
    root = bpy.data.objects.new("root", None)
    bpy.context.collection.objects.link(root)
    site = Site(root, BuildOptions(update=False), SimpleNamespace(radius=0.01))
    return make_points(bpy.context, cloud, site)


def check(built: bpy.types.Object, cloud: SimpleNamespace) -> None:
    """Make sure that all points arrived where they belong.

    Raises:
        ValueError: a position differs.
    """
    positions = np.empty(3 * _COUNT, np.float32)
    built.data.attributes["position"].data.foreach_get("vector", positions)
    x, y, z = cloud.points.T
    if not np.array_equal(positions.reshape(-1, 3), np.stack([x, z, -y], axis=-1)):
        message = f"{built.name} has other positions than the cloud"
        raise ValueError(message)


if __name__ == "__main__":
    main()

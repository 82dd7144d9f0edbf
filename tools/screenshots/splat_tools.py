# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario: splats with floaters, hidden and recoloured by the panel, with a proxy and its shadow.

Runs in a Blender with a window; `steps(ui)` is a generator, each `yield` gives Blender time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpy.types import Object

TITLES = ((805, 562), (805, 542))  # Tools, Colour: closed, from below
MODULE = "bl_ext.user_default.da3_reconstruction"


def load(name: str) -> Any:  # noqa: ANN401 - a module of the extension
    """Import one of the extension's modules."""
    return importlib.import_module(f"{MODULE}.{name}")


def make_splats() -> Object:
    """Make a wavy ball of flat Gaussians above the ground, and single ones around it."""
    rng = np.random.default_rng(3)
    count, lonely = 6000, 40
    d = rng.normal(size=(count, 3))
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    positions = d * (1 + 0.12 * np.sin(6 * d[:, :1]) * np.cos(5 * d[:, 1:2])) * (1.4, 0.9, 1.0)
    harmonics = np.zeros((count, 3, 1))
    harmonics[:, :, 0] = 1.6 * np.sin(3 * positions + (0, 2, 4))
    positions[:lonely] = d[:lonely] * rng.uniform(1.6, 2.6, (lonely, 1))
    scales = np.full((count, 3), 0.05)
    scales[:lonely] = 0.09
    cloud = load("da3_blender.splats.cloud").GaussianCloud(
        positions.astype(np.float32),
        scales.astype(np.float32),
        np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        np.full(count, 0.9, np.float32),
        harmonics.astype(np.float32),
    )
    ob = load("da3_blender.scene.splat_object").make_splat_object("Splats", cloud)
    bpy.context.scene.collection.objects.link(ob)
    return ob


def steps(ui: Any) -> Iterator[float]:  # noqa: ANN401 - from the driver
    """Take the pictures."""
    for ob in list(bpy.data.objects):
        bpy.data.objects.remove(ob)
    bpy.context.preferences.view.show_splash = False
    ob = make_splats()
    with ui.context():
        bpy.ops.mesh.primitive_plane_add(size=12, location=(0, 0, -1.6))
    bpy.context.active_object.select_set(state=False)
    ob.select_set(state=True)
    bpy.context.view_layer.objects.active = ob
    yield from ui.sidebar("DA3")
    # Blender remembers by its name which panel is open, so it gets another one
    panel = bpy.types.DA3_PT_splats
    names = ("flight", "models", "cameras_model", "sequence", "points", "scene")
    others = [getattr(bpy.types, f"DA3_PT_{name}") for name in names]
    for cls in (panel, *others):
        bpy.utils.unregister_class(cls)
    shown = type("DA3_PT_splats_open", (panel,), {"bl_options": set(), "bl_idname": "DA3_PT_open"})
    bpy.utils.register_class(shown)
    with ui.context():
        bpy.ops.view3d.view_selected()
    yield 2.0
    ui.shot("before")
    with ui.context():
        bpy.ops.da3.find_floaters()
    yield 2.0
    ui.shot("floaters_hidden")
    compat, inputs = load("da3_blender.scene.compat"), load("da3_blender.scene.splat_inputs")
    modifier = inputs.find_splat_modifier(ob)
    compat.set_modifier_input(modifier, inputs.TINT, (1.0, 0.6, 0.3, 1.0))
    compat.set_modifier_input(modifier, inputs.SATURATION, 0.5)
    ob.update_tag()
    yield 2.0
    ui.shot("recoloured")
    with ui.context():
        bpy.ops.da3.proxy_mesh(shadow_only=False)
    ob.hide_set(state=True)
    yield 2.0
    ui.shot("proxy")
    ob.hide_set(state=False)
    with ui.context():
        bpy.ops.da3.proxy_mesh(shadow_only=True)
        sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
        bpy.context.scene.collection.objects.link(sun)
        bpy.context.view_layer.objects.active = ob
        ob.select_set(state=True)
    for place in TITLES:
        yield from ui.click(*place)
        yield 1.0
    yield 1.0
    ui.shot("tools")
    bpy.utils.unregister_class(shown)
    for cls in (*others, panel):
        bpy.utils.register_class(cls)

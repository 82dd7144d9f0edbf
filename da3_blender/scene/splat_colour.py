# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes for the colour of each Gaussian from where the camera is: spherical harmonics.

Runs in Blender. The direction is taken in the object's space, so colours turn with the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract import names
from ..splats.harmonics import C0, C1, C2, C3
from ..splats.recolour import LUMA
from . import splat_inputs as inputs
from .splat_material import ATTR_SHADE

if TYPE_CHECKING:
    from .field_builder import Field, FieldBuilder

_GAMMA = 2.4
_LINEAR_BELOW = 0.04045


def add_colour(build: FieldBuilder, geometry: Field, given: dict[str, Field], eye: Field) -> Field:
    """Store the colour on the points.

    Args:
        build: of the group.
        geometry: points with coefficients.
        given: the inputs of the group.
        eye: position of the camera, object space.
    """
    position = build.get_output(build.add("GeometryNodeInputPosition"))
    towards = build.compute_vector("NORMALIZE", build.compute_vector("SUBTRACT", position, eye))
    basis = _add_basis(*build.split(towards))
    total = None
    for band in range(4):
        colour = None
        for index in range(band * band, (band + 1) ** 2):
            stored = build.read(names.ATTR_HARMONICS[index], "FLOAT_VECTOR")
            part = build.compute_vector("SCALE", stored, basis[index])
            colour = part if colour is None else build.compute_vector("ADD", colour, part)
        if band == 0:
            total = build.compute_vector("ADD", colour, (0.5, 0.5, 0.5))
            continue
        shows = build.compare("GREATER_EQUAL", given[inputs.DEGREE], float(band))
        total = build.compute_vector(
            "ADD", total, build.switch("VECTOR", shows, (0.0, 0.0, 0.0), colour)
        )
    total = _add_recolour(build, total, given)
    total = build.compute_vector("MAXIMUM", total, (0.0, 0.0, 0.0))
    linear = build.join(*(_add_linear(build, channel) for channel in build.split(total)))
    shade = build.switch("VECTOR", given[inputs.DISPLAY_VALUES], linear, total)
    return build.store(geometry, ATTR_SHADE, "FLOAT_VECTOR", shade, "POINT")


def _add_recolour(build: FieldBuilder, colour: Field, given: dict[str, Field]) -> Field:
    """Apply what `splats.recolour.build_colour_matrix` does."""
    grey = build.compute_vector("DOT_PRODUCT", colour, LUMA)
    saturation = given[inputs.SATURATION]
    grey = build.join(*(grey * (build.compute("SUBTRACT", 1.0, saturation)),) * 3)
    mix = build.compute_vector("ADD", build.compute_vector("SCALE", colour, saturation), grey)
    tint = build.join(*(_add_display(build, part) for part in build.split(given[inputs.TINT])))
    factors = build.compute_vector("SCALE", tint, given[inputs.BRIGHTNESS])
    return build.compute_vector("MULTIPLY", mix, factors)


def _add_basis(x: Field, y: Field, z: Field) -> list[Field | float]:
    """Return the 16 basis functions, as `splats.harmonics.evaluate_basis`."""
    xx, yy, zz = x * x, y * y, z * z
    xy, yz, xz = x * y, y * z, x * z
    tall = zz * 4.0 - xx - yy
    return [
        C0,
        y * -C1,
        z * C1,
        x * -C1,
        xy * C2[0],
        yz * -C2[1],
        (zz * 2.0 - xx - yy) * C2[2],
        xz * -C2[3],
        (xx - yy) * C2[4],
        y * (xx * 3.0 - yy) * -C3[0],
        xy * z * C3[1],
        y * tall * -C3[2],
        z * (zz * 2.0 - xx * 3.0 - yy * 3.0) * C3[3],
        x * tall * -C3[4],
        z * (xx - yy) * C3[5],
        x * (xx - yy * 3.0) * -C3[6],
    ]


def _add_linear(build: FieldBuilder, value: Field) -> Field:
    """Turn a display value (sRGB) into a scene-linear one."""
    curve = build.compute("POWER", (value + 0.055) / 1.055, _GAMMA)
    is_dark = build.compare("LESS_EQUAL", value, _LINEAR_BELOW)
    return build.switch("FLOAT", is_dark, curve, value / 12.92)


def _add_display(build: FieldBuilder, value: Field) -> Field:
    """Turn a scene-linear value into a display value (sRGB)."""
    value = build.compute("MAXIMUM", value, 0.0)
    curve = build.compute("POWER", value, 1 / _GAMMA) * 1.055 - 0.055
    is_dark = build.compare("LESS_EQUAL", value, _LINEAR_BELOW / 12.92)
    return build.switch("FLOAT", is_dark, curve, value * 12.92)

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shader and the vertex buffers that draw points as coloured discs.

Runs in Blender; needs a GPU context. Shaders are made by create-info, so that they run on
OpenGL, Vulkan and Metal alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import gpu
import numpy as np

if TYPE_CHECKING:
    from gpu.types import GPUBatch, GPUShader
    from mathutils import Matrix
    from numpy.typing import NDArray

# One mat4 and two vec4: 96 bytes, below the 128 that every driver has for push constants.
# depth_map: z and offset of the projection, 1 for perspective, bias in scene units.
# disc: pixels per scene unit at distance 1, smallest diameter in pixels, least confidence,
# radius in scene units.
# Blender lays what handlers draw over the viewport in a space that it makes with the exponent 2.2,
# not with the curve of sRGB.
_VERTEX: Final = """
void main()
{
  vec4 place = clip_from_object * vec4(pos.xyz, 1.0);
  float scale = disc.x / max(place.w, 1e-20);
  gl_PointSize = max(2.0 * disc.w * scale, disc.y);
  if (depth_map.z > 0.5) {
    float z = -max(place.w - depth_map.w, 0.05 * place.w);
    place.z = (depth_map.x * z + depth_map.y) / -z * place.w;
  }
  else {
    place.z += depth_map.x * depth_map.w;
  }
  gl_Position = (pos.w < disc.z) ? vec4(2.0, 2.0, 2.0, 1.0) : place;
  shade = vec4(pow(colour.rgb, vec3(2.2)), 1.0);
}
"""
_FRAGMENT: Final = """
void main()
{
  vec2 from_centre = gl_PointCoord - vec2(0.5);
  if (dot(from_centre, from_centre) > 0.25) {
    discard;
  }
  fragment = shade;
}
"""


def make_point_shader() -> GPUShader:
    """Compile the shader."""
    info = gpu.types.GPUShaderCreateInfo()
    info.push_constant("MAT4", "clip_from_object")
    info.push_constant("VEC4", "depth_map")
    info.push_constant("VEC4", "disc")
    info.vertex_in(0, "VEC4", "pos")
    info.vertex_in(1, "VEC4", "colour")
    interface = gpu.types.GPUStageInterfaceInfo("da3_points")
    interface.flat("VEC4", "shade")
    info.vertex_out(interface)
    info.fragment_out(0, "VEC4", "fragment")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)


def make_point_batch(
    positions: NDArray[np.float32],
    colours: NDArray[np.uint8],
    confidence: NDArray[np.float32],
) -> GPUBatch:
    """Upload points.

    Args:
        positions: (M, 3) object space.
        colours: (M, 4) sRGB.
        confidence: (M,).
    """
    layout = gpu.types.GPUVertFormat()
    layout.attr_add(id="pos", comp_type="F32", len=4, fetch_mode="FLOAT")
    layout.attr_add(id="colour", comp_type="U8", len=4, fetch_mode="INT_TO_FLOAT_UNIT")
    buffer = gpu.types.GPUVertBuf(layout, len(positions))
    buffer.attr_fill("pos", np.column_stack([positions, confidence]).astype(np.float32))
    buffer.attr_fill("colour", np.ascontiguousarray(colours))
    return gpu.types.GPUBatch(type="POINTS", buf=buffer)


def make_constants(
    projection: Matrix,
    height_px: int,
    radius: float,
    min_confidence: float,
    smallest_px: float,
) -> dict[str, tuple[float, ...]]:
    """Return the push constants of one object in one view, except for the matrix.

    Args:
        projection: (4, 4) clip from view.
        height_px: of the viewport.
        radius: scene units.
        min_confidence: points below are not drawn.
        smallest_px: diameter that far points keep.
    """
    is_perspective = projection[3][3] == 0
    # Blender's own grey discs are half spheres of this radius: ours lie just in front of them.
    bias = 1.1 * radius
    return {
        "depth_map": (
            projection[2][2],
            projection[2][3],
            1.0 if is_perspective else 0.0,
            bias,
        ),
        "disc": (0.5 * height_px * projection[1][1], smallest_px, min_confidence, radius),
    }

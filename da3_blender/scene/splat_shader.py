# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shaders that draw Gaussians in the viewport, and the textures that they read.

Runs in Blender; needs a GPU context. Shaders are made by create-info, so that they run on
OpenGL, Vulkan and Metal alike. The equations are those of `splat_nodes.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import gpu
import numpy as np

from ..splats.harmonics import C0, C1, C2, C3
from ..splats.recolour import LUMA
from .splat_nodes import SLOPE_LIMIT

if TYPE_CHECKING:
    from gpu.types import GPUBatch, GPUShader, GPUTexture
    from numpy.typing import NDArray

_WIDTHS: Final = (4096, 16384)
_MOST_ROWS: Final = 16384
_SHAPE_TEXELS: Final = 3

# eye: position (w = 1) or direction (w = 0) of the viewer in object space
# screen: width, height, variance that each splat gets, nearest distance
# look: factor of sizes, radius of points, share of the true size, softness
# recolour: factors of red, green and blue, saturation
# colour: degree, 1 for scene-linear, widths of the two textures
_FRAME: Final = """
struct SplatFrame {
  mat4 view_from_object;
  mat4 projection;
  vec4 eye;
  vec4 screen;
  vec4 look;
  vec4 colour;
  vec4 order;
  vec4 recolour;
};
"""
FRAME_FLOATS: Final = 56

_VERTEX: Final = f"""
vec4 fetch_shape(int index)
{{
  int width = int(frame.colour.z);
  return texelFetch(shapes, ivec2(index % width, index / width), 0);
}}

vec3 fetch_harmonic(int index)
{{
  int width = int(frame.colour.w);
  return texelFetch(harmonics, ivec2(index % width, index / width), 0).rgb;
}}

vec3 evaluate_colour(int index, vec3 d)
{{
  int degree = int(frame.colour.x);
  int first = index * int(frame.order.y);
  vec3 c = 0.5 + {C0} * fetch_harmonic(first);
  float x = d.x, y = d.y, z = d.z;
  float xx = x * x, yy = y * y, zz = z * z;
  if (degree > 0) {{
    c += {C1} * (-y * fetch_harmonic(first + 1) + z * fetch_harmonic(first + 2)
                 - x * fetch_harmonic(first + 3));
  }}
  if (degree > 1) {{
    c += {C2[0]} * x * y * fetch_harmonic(first + 4);
    c -= {C2[1]} * y * z * fetch_harmonic(first + 5);
    c += {C2[2]} * (2.0 * zz - xx - yy) * fetch_harmonic(first + 6);
    c -= {C2[3]} * x * z * fetch_harmonic(first + 7);
    c += {C2[4]} * (xx - yy) * fetch_harmonic(first + 8);
  }}
  if (degree > 2) {{
    c -= {C3[0]} * y * (3.0 * xx - yy) * fetch_harmonic(first + 9);
    c += {C3[1]} * x * y * z * fetch_harmonic(first + 10);
    c -= {C3[2]} * y * (4.0 * zz - xx - yy) * fetch_harmonic(first + 11);
    c += {C3[3]} * z * (2.0 * zz - 3.0 * xx - 3.0 * yy) * fetch_harmonic(first + 12);
    c -= {C3[4]} * x * (4.0 * zz - xx - yy) * fetch_harmonic(first + 13);
    c += {C3[5]} * z * (xx - yy) * fetch_harmonic(first + 14);
    c -= {C3[6]} * x * (xx - 3.0 * yy) * fetch_harmonic(first + 15);
  }}
  float grey = dot(c, vec3({LUMA[0]}, {LUMA[1]}, {LUMA[2]}));
  c = mix(vec3(grey), c, frame.recolour.w) * frame.recolour.rgb;
  c = max(c, vec3(0.0));
  if (frame.colour.y > 0.5) {{
    c = mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(vec3(0.04045), c));
  }}
  return c;
}}

mat3 rotation_matrix(vec4 q)
{{
  float w = q.x, x = q.y, y = q.z, z = q.w;
  return mat3(1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z), 2.0 * (x * z - w * y),
              2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + w * x),
              2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y));
}}

void main()
{{
  int width = int(frame.order.x);
  ivec2 turn_of = ivec2(gl_InstanceID % width, gl_InstanceID / width);
  int index = int(texelFetch(order, turn_of, 0).r + 0.5);
  vec4 place = fetch_shape({_SHAPE_TEXELS} * index);
  vec3 scales = fetch_shape({_SHAPE_TEXELS} * index + 1).xyz;
  vec4 turn = fetch_shape({_SHAPE_TEXELS} * index + 2);
  vec3 seen = (frame.view_from_object * vec4(place.xyz, 1.0)).xyz;
  bool is_parallel = frame.projection[3][3] > 0.5;
  float depth = -seen.z;
  if (depth < frame.screen.w && !is_parallel) {{
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    spot = vec4(0.0);
    paint = vec4(0.0);
    return;
  }}
  // beyond the picture's edges the derivative explodes: 3D Gaussian Splatting limits it
  vec2 limit = {SLOPE_LIMIT} / vec2(frame.projection[0][0], frame.projection[1][1]);
  vec2 slope = is_parallel ? vec2(0.0) : clamp(seen.xy / depth, -limit, limit);
  vec2 focal = 0.5 * frame.screen.xy * vec2(frame.projection[0][0], frame.projection[1][1]);
  focal = is_parallel ? focal : focal / depth;
  mat3 axes = mat3(frame.view_from_object) * rotation_matrix(turn);
  vec3 lengths = mix(vec3(frame.look.y), scales * frame.look.x, frame.look.z);
  float xx = frame.screen.z * frame.look.z, yy = xx, xy = 0.0;
  for (int k = 0; k < 3; k++) {{
    vec3 axis = axes[k] * lengths[k];
    vec2 flat_axis = (axis.xy + slope * axis.z) * focal;
    xx += flat_axis.x * flat_axis.x;
    xy += flat_axis.x * flat_axis.y;
    yy += flat_axis.y * flat_axis.y;
  }}
  xx = max(xx, 1e-12);
  float root_xx = sqrt(xx);
  float root_xy = xy / root_xx;
  float root_yy = sqrt(max(yy - root_xy * root_xy, 1e-12));
  float softness = frame.look.w;
  float reach = softness > 0.0 ?
      max(sqrt(2.0 * log(max(255.0 * place.w, 1.0))) * softness, 1.0) : 1.0;
  vec2 offset = vec2(root_xx * corner.x, root_xy * corner.x + root_yy * corner.y) * reach;
  vec4 clip = frame.projection * vec4(seen, 1.0);
  gl_Position = clip + vec4(2.0 * offset / frame.screen.xy * clip.w, 0.0, 0.0);
  spot = vec4(corner * reach, place.w, softness);
  vec3 towards = frame.eye.w > 0.5 ? normalize(place.xyz - frame.eye.xyz) : frame.eye.xyz;
  paint = vec4(evaluate_colour(index, towards), 1.0);
}}
"""
_FRAGMENT: Final = """
void main()
{
  float radius = dot(spot.xy, spot.xy);
  float soft_alpha = min(0.99, spot.z * exp(-0.5 * radius));
  float alpha = mix(radius < 1.0 ? 1.0 : 0.0, soft_alpha, spot.w);
  float blocked = texelFetch(scene_depth, ivec2(gl_FragCoord.xy), 0).r;
  if (alpha <= 1.0 / 255.0 || gl_FragCoord.z > blocked) {
    discard;
  }
  fragment = vec4(paint.rgb * alpha, alpha);
}
"""
_OVER_VERTEX: Final = """
void main()
{
  gl_Position = vec4(corner, 0.0, 1.0);
}
"""
# Blender lays what handlers draw over the viewport in a space that it makes with the exponent 2.2,
# not with the curve of sRGB: with that, colours would be off by up to 4 levels of 255.
_OVER_FRAGMENT: Final = """
void main()
{
  vec4 c = texelFetch(picture, ivec2(gl_FragCoord.xy), 0);
  vec3 bright = 1.055 * pow(max(c.rgb, vec3(1e-9)), vec3(1.0 / 2.4)) - 0.055;
  vec3 encoded = mix(12.92 * c.rgb, bright, step(vec3(0.0031308), c.rgb));
  fragment = vec4(pow(is_linear > 0.5 ? encoded : c.rgb, vec3(2.2)), c.a);
}
"""


def make_splat_shader() -> GPUShader:
    """Compile the shader that draws sorted splats, premultiplied."""
    info = gpu.types.GPUShaderCreateInfo()
    info.typedef_source(_FRAME)
    info.uniform_buf(0, "SplatFrame", "frame")
    for slot, name in enumerate(("shapes", "harmonics", "order", "scene_depth")):
        info.sampler(slot, "FLOAT_2D", name)
    info.vertex_in(0, "VEC2", "corner")
    interface = gpu.types.GPUStageInterfaceInfo("da3_splats")
    interface.smooth("VEC4", "spot")
    interface.flat("VEC4", "paint")
    info.vertex_out(interface)
    info.fragment_out(0, "VEC4", "fragment")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)


def make_over_shader() -> GPUShader:
    """Compile the shader that lays the finished picture over the viewport."""
    info = gpu.types.GPUShaderCreateInfo()
    info.push_constant("FLOAT", "is_linear")
    info.sampler(0, "FLOAT_2D", "picture")
    info.vertex_in(0, "VEC2", "corner")
    info.fragment_out(0, "VEC4", "fragment")
    info.vertex_source(_OVER_VERTEX)
    info.fragment_source(_OVER_FRAGMENT)
    return gpu.shader.create_from_info(info)


def make_quad_batch() -> GPUBatch:
    """Make the two triangles that every splat is drawn with."""
    layout = gpu.types.GPUVertFormat()
    layout.attr_add(id="corner", comp_type="F32", len=2, fetch_mode="FLOAT")
    corners = np.float32([(-1, -1), (1, -1), (1, 1), (-1, -1), (1, 1), (-1, 1)])
    buffer = gpu.types.GPUVertBuf(layout, len(corners))
    buffer.attr_fill("corner", corners)
    return gpu.types.GPUBatch(type="TRIS", buf=buffer)


def make_texture(texels: NDArray[np.float32], kind: str) -> tuple[GPUTexture, int]:
    """Put a list of texels into a texture.

    Args:
        texels: (N, channels) float32.
        kind: such as RGBA32F.

    Returns:
        The texture, and its width: texel n is at (n % width, n // width).

    Raises:
        ValueError: more than any texture holds.
    """
    count, channels = texels.shape
    for width in _WIDTHS:
        rows = max(1, -(-count // width))
        if rows <= _MOST_ROWS:
            break
    else:
        message = f"{count} texels do not fit into a texture"
        raise ValueError(message)
    padded = np.zeros((rows * width, channels), np.float32)
    padded[:count] = texels
    data = gpu.types.Buffer("FLOAT", padded.size, padded.ravel())
    return gpu.types.GPUTexture((width, rows), format=kind, data=data), width


def build_shape_texels(
    positions: NDArray[np.float32],
    scales: NDArray[np.float32],
    rotations: NDArray[np.float32],
    opacities: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return (3 G, 4): position and opacity, scales, rotation wxyz (unit)."""
    texels = np.zeros((len(positions), _SHAPE_TEXELS, 4), np.float32)
    texels[:, 0, :3], texels[:, 0, 3] = positions, opacities
    texels[:, 1, :3] = scales
    texels[:, 2] = rotations
    return texels.reshape(-1, 4)


def build_harmonic_texels(harmonics: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (G D, 4): red, green and blue of each coefficient."""
    texels = np.zeros((len(harmonics), harmonics.shape[2], 4), np.float32)
    texels[:, :, :3] = harmonics.transpose(0, 2, 1)
    return texels.reshape(-1, 4)

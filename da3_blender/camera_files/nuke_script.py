# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nuke scripts (.nk) with one moving camera, its plate, its geometry and a note about the lens.

Runs in both processes. The reader understands the Camera and Read nodes of scripts that Nuke or we
have written, no expressions.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ..contract.camera_file import CameraFile, CameraView
from ..contract.cameras import SENSOR_WIDTH_MM
from ..contract.whole_file import open_whole
from .nuke_chan import order_by_frame
from .nuke_frame import (
    ROTATION_ORDER,
    NukeWindow,
    angles_to_matrix,
    from_nuke_matrix,
    from_nuke_window,
    matrix_to_angles,
    to_nuke_matrix,
    to_nuke_window,
)
from .nuke_nodes import KnobValue, NukeNode, list_nodes, quote, sample_knob
from .refusals import read_text, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..contract.lens import Lens

_CAMERAS: Final = re.compile(r"Camera\d?")
_SAME: Final = 1e-9  # relative; numbers that differ by less need no curve
_MATRIX_SIZE: Final = 16
_ROW_PX: Final = 100  # between nodes on Nuke's desk


class NukePlate(NamedTuple):
    """A picture or sequence for a Read node.

    file: path with / and %04d for the frame number; first, last: frame numbers.
    """

    file: str
    first: int
    last: int


class NukeExtras(NamedTuple):
    """What a script holds beside the camera.

    camera_name: of the node; plate: or None; geometry: files for ReadGeo nodes; haperture: width
    of the film back in mm.
    """

    camera_name: str = "Camera1"
    plate: NukePlate | None = None
    geometry: tuple[str, ...] = ()
    haperture: float = SENSOR_WIDTH_MM


def write_nuke_script(path: Path, cameras: CameraFile, extras: NukeExtras) -> None:
    """Write a script with a Camera node that has a key at every frame.

    Principal points are window translations, fx that is not fy is a window scale. The distortion
    of a lens is told in a note; the camera itself is the pinhole part.

    Raises:
        EngineError: SETTINGS_INVALID, views have no frame numbers of their own; DISK_FULL,
            OUTPUT_UNWRITABLE.
    """
    order = order_by_frame(cameras)
    first = cameras.views[order[0]]
    frames = [int(cameras.views[index].frame or 0) for index in order]
    size = f"{first.width} {first.height} 0 0 {first.width} {first.height} 1 plate"
    parts = [
        "#! Nuke script\n# Cameras: y up, looking along -z; rotation order ZXY\n",
        _format_root(frames, cameras.fps, size),
        *_format_plate(extras.plate, size),
        _format_camera(cameras, order, frames, extras),
        *(_format_geometry(file, place) for place, file in enumerate(extras.geometry, 1)),
        *_format_lens(cameras.lens_of(order[0])),
    ]
    with open_whole(path) as file:
        file.write("".join(parts).encode())


def _format_root(frames: Sequence[int], fps: float, size: str) -> str:
    rate = f" fps {fps:.12g}\n" if fps > 0 else ""
    span = f" first_frame {frames[0]}\n last_frame {frames[-1]}\n"
    return f'Root {{\n inputs 0\n{span}{rate} format "{size}"\n}}\n'


def _format_plate(plate: NukePlate | None, size: str) -> list[str]:
    if plate is None:
        return []
    span = f" first {plate.first}\n last {plate.last}\n"
    span += f" origfirst {plate.first}\n origlast {plate.last}\n"
    head = f'Read {{\n inputs 0\n file {quote(plate.file)}\n format "{size}"\n{span}'
    return [head + " name Plate\n xpos 0\n ypos 0\n}\n"]


def _format_camera(
    cameras: CameraFile, order: Sequence[int], frames: Sequence[int], extras: NukeExtras
) -> str:
    matrices = to_nuke_matrix(cameras.w2c[list(order)])
    angles = matrix_to_angles(matrices[:, :3, :3])
    windows = np.array(
        [
            to_nuke_window(
                cameras.K[i], cameras.views[i].width, cameras.views[i].height, extras.haperture
            )
            for i in order
        ]
    )
    focal, haperture, vaperture, win_u, win_v, scale_v = windows.T
    knobs = {
        "translate": [matrices[:, axis, 3] for axis in range(3)],
        "rotate": [angles[:, axis] for axis in range(3)],
        "focal": [focal],
        "haperture": [haperture],
        "vaperture": [vaperture],
        "win_translate": [win_u, win_v],
        "win_scale": [np.ones(len(order)), scale_v],
    }
    lines = [f" {name} {_format_knob(frames, values)}" for name, values in knobs.items()]
    text = "\n".join(lines)
    return (
        f"Camera2 {{\n inputs 0\n rot_order {ROTATION_ORDER}\n{text}\n"
        f" name {re.sub(r'[^A-Za-z0-9_]', '_', extras.camera_name)}\n"
        f" xpos 0\n ypos {_ROW_PX}\n}}\n"
    )


def _format_knob(frames: Sequence[int], values: Sequence[NDArray[np.float64]]) -> str:
    """Return numbers, or curves with a key at every frame where something changes."""
    parts = []
    for value in values:
        if np.ptp(value) <= _SAME * max(1.0, float(np.abs(value).max())):
            parts.append(f"{value[0]:.12g}")
            continue
        keys = " ".join(f"x{frame} {v:.12g}" for frame, v in zip(frames, value, strict=True))
        parts.append(f"{{curve {keys}}}")
    if len(parts) == 1 and not parts[0].startswith("{"):
        return parts[0]
    return "{" + " ".join(parts) + "}"


def _format_geometry(file: str, place: int) -> str:
    return (
        f"ReadGeo2 {{\n inputs 0\n file {quote(file)}\n name Geometry{place}\n"
        f" xpos {place * _ROW_PX}\n ypos {_ROW_PX}\n}}\n"
    )


def _format_lens(lens: Lens) -> list[str]:
    """Tell about distortion, which a Camera node does not have."""
    if not any(lens.polynomial) and not lens.division:
        return []
    names = ("k1", "k2", "p1", "p2") if any(lens.polynomial) else ("k",)
    values = lens.polynomial if any(lens.polynomial) else (lens.division,)
    numbers = ", ".join(f"{n} = {v:.9g}" for n, v in zip(names, values, strict=True))
    label = (
        f"The plate has lens distortion: {lens.model} (COLMAP), {numbers}, up to "
        f"{lens.distortion_px:.2f} px. Undistort it with the ST-map before it meets the camera."
    )
    head = f"StickyNote {{\n inputs 0\n name Lens\n label {quote(label)}\n"
    return [head + f" xpos {-2 * _ROW_PX}\n ypos {_ROW_PX}\n}}\n"]


def read_nuke_camera(path: Path, name: str = "") -> CameraFile:
    """Read a camera of a script.

    Args:
        path: of the script.
        name: of the Camera node; "" for the first one.

    Raises:
        EngineError: INPUT_MISSING or INPUT_UNREADABLE.
    """
    try:
        nodes = list_nodes(read_text(path))
    except ValueError as error:
        raise refuse(path, str(error)) from error
    cameras = [node for node in nodes if _CAMERAS.fullmatch(node.kind)]
    chosen = [node for node in cameras if name in ("", node.knobs.get("name"))]
    if not chosen:
        raise refuse(
            path,
            f"it has no Camera node{f' called {name}' if name else ''}",
            "Copy the Camera node into the script; one that reads a file must be baked first.",
        )
    try:
        return _sample_camera(path, nodes, chosen[0])
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise refuse(
            path,
            f"a knob of the Camera node cannot be read ({error})",
            "Bake expressions and links to keys first.",
        ) from error


def _sample_camera(path: Path, nodes: list[NukeNode], node: NukeNode) -> CameraFile:
    size = _find_size(nodes)
    if size is None:
        raise refuse(path, "it has no format", "Set the format of the project in Nuke.")
    frames = _find_frames(nodes, node)

    def sample(knob: str, default: Sequence[float]) -> NDArray[np.float64]:
        return sample_knob(node.knobs.get(knob), frames, default)

    matrices = np.tile(np.eye(4), (len(frames), 1, 1))
    if str(node.knobs.get("useMatrix", "false")) == "true":
        matrices = sample("matrix", np.eye(4).ravel().tolist()).reshape(-1, 4, 4)
    else:
        order = str(node.knobs.get("rot_order", ROTATION_ORDER))
        if order != ROTATION_ORDER:
            why = f"its rotation order is {order}"
            raise refuse(path, why, f"Set the rotation order of the camera to {ROTATION_ORDER}.")
        matrices[:, :3, :3] = angles_to_matrix(sample("rotate", (0, 0, 0)))
        matrices[:, :3, 3] = sample("translate", (0, 0, 0))
    # Nuke's own defaults where a knob is not written.
    focal, haperture = sample("focal", (50,))[:, 0], sample("haperture", (24.576,))[:, 0]
    vaperture = sample("vaperture", (18.672,))[:, 0]
    shift, scale = sample("win_translate", (0, 0)), sample("win_scale", (1, 1))
    if not np.allclose(scale[:, 0], 1):
        raise refuse(path, "its window is scaled in u", "Set win_scale.u to 1.")
    K = np.stack(
        [
            from_nuke_window(NukeWindow(*numbers), *size)
            for numbers in zip(
                focal, haperture, vaperture, shift[:, 0], shift[:, 1], scale[:, 1], strict=True
            )
        ]
    )
    names = _name_pictures(nodes, frames)
    views = tuple(
        CameraView(picture, frame, *size) for picture, frame in zip(names, frames, strict=True)
    )
    return CameraFile(views, from_nuke_matrix(matrices), K, (), _find_fps(nodes))


def _find_size(nodes: list[NukeNode]) -> tuple[int, int] | None:
    """Return width and height of the first format: the root's, else that of a Read node."""
    for node in nodes:
        words = str(node.knobs.get("format", "")).split()
        if node.kind in ("Root", "Read") and len(words) > 1:
            return int(words[0]), int(words[1])
    return None


def _find_fps(nodes: list[NukeNode]) -> float:
    found = [node.knobs.get("fps") for node in nodes if node.kind == "Root"]
    return float(str(found[0])) if found and found[0] is not None else 0.0


def _find_frames(nodes: list[NukeNode], camera: NukeNode) -> list[int]:
    """Return the frames with keys; those of the script for a camera that stands still."""
    keys = {
        frame
        for value in camera.knobs.values()
        for part in (value if isinstance(value, list) else [])
        if isinstance(part, dict)
        for frame in part
    }
    if keys:
        return sorted(keys)
    root: dict[str, Any] = next((node.knobs for node in nodes if node.kind == "Root"), {})
    first = int(str(root.get("first_frame", 1)))
    return list(range(first, int(str(root.get("last_frame", first))) + 1))


def _name_pictures(nodes: list[NukeNode], frames: Sequence[int]) -> list[str]:
    """Return the file names of the plate's frames, "" where no Read node tells them."""
    plates: list[KnobValue] = [
        node.knobs["file"] for node in nodes if node.kind == "Read" and "file" in node.knobs
    ]
    name = PurePosixPath(str(plates[0])).name if plates else ""
    hashes = re.search(r"#+", name)
    if hashes:
        name = name.replace(hashes[0], f"%0{len(hashes[0])}d", 1)
    if not re.search(r"%0?\d*d", name):
        return [""] * len(frames)
    return [name % frame for frame in frames]

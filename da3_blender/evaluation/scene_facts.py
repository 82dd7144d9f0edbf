# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scene.json tells about a scene, and the limits of the published benchmark's sets.

Runs in the engine, and in any Python with numpy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from .refusals import read_json_object, refuse

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SCENE_FILE: Final = "scene.json"
_MILLIMETRES: Final = 0.001
# What is derived where scene.json is silent.
_THRESHOLD_OF_DIAGONAL: Final = 0.01
_CELL_OF_THRESHOLD: Final = 1 / 2.5
_TRUNCATION_IN_CELLS: Final = 4

Corner = tuple[float, float, float]


class SurfaceLimits(NamedTuple):
    """Lengths that a comparison of surfaces needs, units of the scene.

    threshold: below it a point counts as right; tsdf_cell, truncation, max_depth: of the fusion;
    thinning_cell: of both clouds; box: (2, 3) outside of which reconstructed points are left
    out, or None.
    """

    threshold: float
    tsdf_cell: float
    truncation: float
    max_depth: float
    thinning_cell: float
    box: NDArray[np.float64] | None


@dataclass(frozen=True)
class SceneFacts:
    """The entries of scene.json; all may be absent.

    Args:
        protocol: name of a set in PROTOCOLS that gives what is not said here.
        units: name of the scene's unit, for people.
        depth_scale: scene units per level of a depth PNG.
        depth_nothing: level of a depth PNG that stands for no depth, beside 0.
        diagonal: size of the scene, to tell camera positions in percent.
        threshold: distance below which a point of a surface counts as right.
        tsdf_cell: edge length of a cell of the fusion.
        truncation: of the fusion.
        max_depth: farthest depth that is fused.
        thinning_cell: edge length of the cells that thin clouds.
        bounds: smallest and largest corner outside of which reconstructed points do not count.
        crop_margin: they do not count either outside the box of the true points grown by this.
        leave_out: photos that are not used.
        reference: photo that comes first.
    """

    protocol: str = ""
    units: str = ""
    depth_scale: float = _MILLIMETRES
    depth_nothing: float | None = None
    diagonal: float | None = None
    threshold: float | None = None
    tsdf_cell: float | None = None
    truncation: float | None = None
    max_depth: float | None = None
    thinning_cell: float | None = None
    bounds: tuple[Corner, Corner] | None = None
    crop_margin: float | None = None
    leave_out: tuple[str, ...] = ()
    reference: str = ""

    def derive_limits(self, true_points: NDArray[np.floating]) -> SurfaceLimits:
        """Fill what is absent from the size of the true surface.

        Args:
            true_points: (M, 3), at least one.
        """
        low, high = np.min(true_points, axis=0), np.max(true_points, axis=0)
        diagonal = float(np.linalg.norm(high - low)) or 1.0
        threshold = self.threshold or _THRESHOLD_OF_DIAGONAL * diagonal
        thinning = threshold * _CELL_OF_THRESHOLD
        if self.thinning_cell is not None:
            thinning = self.thinning_cell
        cell = self.tsdf_cell or threshold * _CELL_OF_THRESHOLD
        boxes = [] if self.bounds is None else [np.array(self.bounds)]
        if self.crop_margin is not None:
            boxes.append(np.stack([low - self.crop_margin, high + self.crop_margin]))
        box = None
        if boxes:
            box = np.stack([np.max([b[0] for b in boxes], 0), np.min([b[1] for b in boxes], 0)])
        return SurfaceLimits(
            threshold,
            cell,
            self.truncation or _TRUNCATION_IN_CELLS * cell,
            math.inf if self.max_depth is None else self.max_depth,
            thinning,
            box,
        )


def _make_protocol(cell: float, truncation: float, threshold: float, **more: float) -> SceneFacts:
    return SceneFacts(
        units="m",
        tsdf_cell=cell,
        truncation=truncation,
        threshold=threshold,
        thinning_cell=cell,
        **more,
    )


# Limits of the evaluation of the published release of Depth Anything 3, in metres.
PROTOCOLS: Final[dict[str, SceneFacts]] = {
    "ETH3D": _make_protocol(20 / 512, 0.2, 0.25, max_depth=1e5),
    "7Scenes": _make_protocol(4 / 512, 0.04, 0.05, depth_nothing=65_535),
    "HiRoom": replace(_make_protocol(4 / 512, 0.04, 0.05), depth_scale=100 / 65_535),
    "ScanNet++": _make_protocol(0.02, 0.15, 0.05, max_depth=5.0, crop_margin=0.1),
}

_POSITIVE: Final = ("depth_scale", "diagonal", "threshold", "tsdf_cell", "truncation", "max_depth")


def read_scene_facts(folder: Path, protocol: str = "") -> SceneFacts:
    """Read a scene's scene.json, if it has one.

    Args:
        folder: of the scene.
        protocol: name of a set in PROTOCOLS for what scene.json does not say; "" for none.

    Raises:
        EngineError: INPUT_UNREADABLE or INPUT_MISMATCH with the path.
    """
    path = folder / SCENE_FILE
    data = read_json_object(path) if path.is_file() else {}
    known = {field.name for field in fields(SceneFacts)}
    unknown = sorted(set(data) - known)
    if unknown:
        why = f"it has the unknown entries {', '.join(unknown)}"
        raise refuse(path, why, f"Known are {', '.join(sorted(known))}.")
    try:
        protocol = str(data.get("protocol", protocol))
        given = {name: _convert(name, value) for name, value in data.items()}
    except (TypeError, ValueError) as error:
        raise refuse(path, f"an entry has the wrong type ({error})") from error
    if protocol and protocol not in PROTOCOLS:
        why = f"there is no protocol {protocol!r}"
        raise refuse(path, why, f"Known are {', '.join(PROTOCOLS)}.")
    start = PROTOCOLS[protocol] if protocol else SceneFacts()
    return replace(start, **{**given, "protocol": protocol})


def _convert(name: str, value: Any) -> Any:  # noqa: ANN401 - entries of several types
    """Bring one entry of the file to the type of its field.

    Raises:
        TypeError: it cannot be.
        ValueError: a length is not positive, or bounds are no two corners.
    """
    if name in ("protocol", "units", "reference"):
        if not isinstance(value, str):
            message = f"{name} is {value!r}, not a text"
            raise TypeError(message)
        return value
    if name == "leave_out":
        if not isinstance(value, list):
            message = f"{name} is {value!r}, not a list of names"
            raise TypeError(message)
        return tuple(str(entry) for entry in value)
    if value is None:
        return None
    if name == "bounds":
        corners = np.array(value, np.float64)
        if corners.shape != (2, 3) or not (corners[0] < corners[1]).all():
            message = f"bounds is {value!r}, not [smallest corner, largest corner]"
            raise ValueError(message)
        return tuple(tuple(corner) for corner in corners.tolist())
    number = float(value)
    if not (number > 0 if name in _POSITIVE else number >= 0):
        message = f"{name} is {value!r}, not a positive number"
        raise ValueError(message)
    return number

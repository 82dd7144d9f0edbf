# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the cameras of a COLMAP model without COLMAP: text or binary, pinhole part of the lens.

Runs in the engine. Format: COLMAP's documentation, "Output Format".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..contract.rotations import quaternion_to_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray


class ColmapView(NamedTuple):
    """One photo with its camera.

    Attributes:
        name: as COLMAP calls the photo, may contain folders.
        width: pixels.
        height: pixels.
        K: (3, 3) float64, pixels.
        w2c: (4, 4) float64, OpenCV world-to-camera.
        is_distorted: the lens has distortion beside K.
    """

    name: str
    width: int
    height: int
    K: NDArray[np.float64]
    w2c: NDArray[np.float64]
    is_distorted: bool


class _Lens(NamedTuple):
    width: int
    height: int
    K: NDArray[np.float64]
    is_distorted: bool


# COLMAP model, in the order of its numbers -> (number of parameters, which are fx, fy, cx, cy)
_MODELS: Final[dict[str, tuple[int, tuple[int, ...]]]] = {
    "SIMPLE_PINHOLE": (3, (0, 0, 1, 2)),
    "PINHOLE": (4, (0, 1, 2, 3)),
    "SIMPLE_RADIAL": (4, (0, 0, 1, 2)),
    "RADIAL": (5, (0, 0, 1, 2)),
    "OPENCV": (8, (0, 1, 2, 3)),
    "OPENCV_FISHEYE": (8, ()),
    "FULL_OPENCV": (12, (0, 1, 2, 3)),
    "FOV": (5, ()),
    "SIMPLE_RADIAL_FISHEYE": (4, ()),
    "RADIAL_FISHEYE": (5, ()),
    "THIN_PRISM_FISHEYE": (12, ()),
}
_POINT_BYTES: Final = 24  # of one keypoint in images.bin


def read_colmap_views(folder: Path) -> list[ColmapView]:
    """Read all photos of a model, sorted by name.

    Args:
        folder: with cameras.bin and images.bin, or the same as .txt.

    Raises:
        EngineError: INPUT_MISSING, INPUT_UNREADABLE or INPUT_MISMATCH with the path.
    """
    kind = "bin" if (folder / "images.bin").is_file() else "txt"
    paths = [folder / f"{name}.{kind}" for name in ("cameras", "images")]
    for path in paths:
        if not path.is_file():
            raise _refuse(path, "it does not exist", ErrorCode.INPUT_MISSING)
    read = (_read_binary_lenses, _read_binary_photos)
    if kind == "txt":
        read = (_read_text_lenses, _read_text_photos)
    current = paths[0]
    try:
        lenses = dict(read[0](current))
        current = paths[1]
        views = [
            ColmapView(
                name,
                lenses[lens].width,
                lenses[lens].height,
                lenses[lens].K,
                w2c,
                lenses[lens].is_distorted,
            )
            for name, lens, w2c in read[1](current)
        ]
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise _refuse(current, f"it is damaged ({error})", ErrorCode.INPUT_UNREADABLE) from error
    except KeyError as error:
        why = f"it names the camera {error}, which {paths[0].name} does not have"
        raise _refuse(current, why, ErrorCode.INPUT_UNREADABLE) from error
    if not views:
        raise _refuse(current, "it has no photos", ErrorCode.INPUT_EMPTY)
    return sorted(views, key=lambda view: view.name)


def _make_lens(model: str, width: int, height: int, params: list[float]) -> _Lens:
    """Build the pinhole part.

    Raises:
        EngineError: INPUT_MISMATCH; the lens is no pinhole with distortion.
        ValueError: the model is unknown or has another number of parameters.
    """
    if model not in _MODELS or len(params) != _MODELS[model][0]:
        message = f"no lens {model} with {len(params)} parameters"
        raise ValueError(message)
    places = _MODELS[model][1]
    if not places:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"The COLMAP model has a lens of kind {model}, which is no pinhole.",
            "Undistort the photos with COLMAP's image_undistorter and use its model.",
        )
    fx, fy, cx, cy = (params[place] for place in places)
    rest = [value for place, value in enumerate(params) if place not in places]
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    return _Lens(width, height, K, is_distorted=any(rest))


def _make_w2c(quaternion: list[float], translation: list[float]) -> NDArray[np.float64]:
    """Build the matrix of a quaternion wxyz of any length but zero, and a translation."""
    w2c = np.eye(4)
    w2c[:3, :3] = quaternion_to_matrix(quaternion)
    w2c[:3, 3] = translation
    return w2c


def _read_text_lenses(path: Path) -> Iterator[tuple[int, _Lens]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words and not line.startswith("#"):
            params = [float(word) for word in words[4:]]
            yield int(words[0]), _make_lens(words[1], int(words[2]), int(words[3]), params)


def _read_text_photos(path: Path) -> Iterator[tuple[str, int, NDArray[np.float64]]]:
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    for line in lines[::2]:  # every second line lists keypoints and may be empty
        words = line.split(maxsplit=9)
        if not words:
            continue
        numbers = [float(word) for word in words[1:8]]
        yield words[9], int(words[8]), _make_w2c(numbers[:4], numbers[4:])


def _unpack(file: BinaryIO, form: str) -> tuple:
    return struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))


def _read_binary_lenses(path: Path) -> Iterator[tuple[int, _Lens]]:
    names = list(_MODELS)
    with path.open("rb") as file:
        (count,) = _unpack(file, "Q")
        for _ in range(count):
            number, kind, width, height = _unpack(file, "iiQQ")
            if not 0 <= kind < len(names):
                message = f"no lens of the kind {kind}"
                raise ValueError(message)
            params = list(_unpack(file, f"{_MODELS[names[kind]][0]}d"))
            yield number, _make_lens(names[kind], width, height, params)


def _read_binary_photos(path: Path) -> Iterator[tuple[str, int, NDArray[np.float64]]]:
    with path.open("rb") as file:
        (count,) = _unpack(file, "Q")
        for _ in range(count):
            _, *numbers, lens = _unpack(file, "i7di")
            name = bytearray()
            while (letter := file.read(1)) != b"\0":
                if not letter:
                    message = "it ends in the middle of a name"
                    raise ValueError(message)
                name += letter
            (keypoints,) = _unpack(file, "Q")
            file.seek(keypoints * _POINT_BYTES, 1)
            yield name.decode("utf-8"), lens, _make_w2c(numbers[:4], numbers[4:])


def _refuse(path: Path, why: str, code: ErrorCode) -> EngineError:
    return EngineError(
        code,
        f"{path} cannot be used: {why}.",
        "Export the model again with COLMAP's model_converter.",
    )

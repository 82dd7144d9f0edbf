# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shots: where they are filmed, how the camera moves and which lens it has.

Runs anywhere; numpy only. Positions are Blender's axes, metres; what is handed out is OpenCV's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from da3_blender.contract.cameras import from_blender_matrix

from .shot import make_lens

if TYPE_CHECKING:
    from collections.abc import Callable

    from da3_blender.contract.lens import Lens

Array = np.ndarray
WIDTH = 1280
FRAMES = 48
FPS = 24
DISTORTION = (-0.12, 0.02)
"""k1 and k2 of the shot `distortion`."""
_FOCAL = 1000.0  # pixels of a picture 1280 wide: 28 mm on 36 mm
_ZOOM = 1.8
_WELL = np.array([-0.45, 0.55, 0.9])


class ShotPlan(NamedTuple):
    """What is filmed.

    Args:
        place: name for `scenery.build_place`.
        width: pixels.
        height: pixels.
        w2c: (F, 4, 4) float64, OpenCV axes; the world is Blender's, turned to OpenCV's, metres.
        K: (F, 3, 3) float64, pixels.
        distortion: k1 and k2 of OpenCV's model.
        walker: (F, 3) where a figure stands, Blender's axes, or None.
    """

    place: str
    width: int
    height: int
    w2c: Array
    K: Array
    distortion: tuple[float, float] = (0.0, 0.0)
    walker: Array | None = None

    def make_lens(self, frame: int) -> Lens:
        """Return the lens of a frame."""
        return make_lens(self.K[frame], self.distortion, (self.width, self.height))


class _Motion(NamedTuple):
    """Of a camera: (F, 3) eye and target, metres; (F, 3) shake in radians (tilt, pan, roll)."""

    eye: Array
    target: Array
    shake: Array


def plan_shot(name: str, frames: int = FRAMES, width: int = WIDTH) -> ShotPlan:
    """Plan a shot.

    Args:
        name: one of SHOTS.
        frames: how many; the whole motion takes as long.
        width: pixels of the longer side.

    Raises:
        ValueError: the name is unknown.
    """
    if name not in SHOTS:
        message = f"no shot {name!r}; there are {', '.join(SHOTS)}"
        raise ValueError(message)
    rng = np.random.default_rng([20260, list(SHOTS).index(name)])
    part = np.linspace(0, 1, frames)
    motion = SHOTS[name](part, rng)
    w2c = np.array([_aim(*each) for each in zip(*motion, strict=True)])
    size = (width, width * 9 // 16)
    if name == "portrait":
        size = size[::-1]
    focal = np.full(frames, _FOCAL * width / WIDTH)
    if name == "zoom":
        focal *= _ZOOM ** _ease(part)
    K = np.zeros((frames, 3, 3))
    K[:, 0, 0] = K[:, 1, 1] = focal
    K[:, 0, 2], K[:, 1, 2], K[:, 2, 2] = size[0] / 2, size[1] / 2, 1
    place = "room" if name == "blank_walls" else "courtyard"
    distortion = DISTORTION if name == "distortion" else (0.0, 0.0)
    walker = _walk_across(part) if name == "person" else None
    return ShotPlan(place, *size, w2c, K, distortion, walker)


def _aim(eye: Array, target: Array, shake: Array) -> Array:
    """Return w2c of a camera that looks at a target, turned by a little shake."""
    back = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(back, right), back], axis=1) @ turn(shake)
    matrix[:3, 3] = eye
    return from_blender_matrix(matrix)


def turn(vector: Array) -> Array:
    """Return the rotations (..., 3, 3) about (..., 3) axes whose length is the angle, radians."""
    vector = np.asarray(vector, float)
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1)
    cross = cross.reshape(*vector.shape, 3)
    # sin(a) / a and (1 - cos(a)) / a^2, exact also at 0
    sine = np.sinc(angle / np.pi)
    cosine = np.sinc(angle / (2 * np.pi)) ** 2 / 2
    return np.eye(3) + sine * cross + cosine * cross @ cross


def make_smooth_noise(
    rng: np.random.Generator, count: int, channels: int, correlation: float
) -> Array:
    """Return (count, channels) noise of variance 1 that changes over `correlation` frames."""
    reach = int(np.ceil(3 * correlation))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / correlation) ** 2)
    kernel /= np.linalg.norm(kernel)
    white = rng.normal(size=(count + 2 * reach, channels))
    return np.stack([np.convolve(each, kernel, "valid") for each in white.T], axis=1)


def _ease(part: Array) -> Array:
    return part * part * (3 - 2 * part)


def _go(part: Array, start: tuple[float, ...], end: tuple[float, ...]) -> Array:
    return np.array(start) + part[:, None] * (np.array(end) - np.array(start))


def _hold(
    part: Array, rng: np.random.Generator, centimetres: float, degrees: float
) -> tuple[Array, Array]:
    """Return (F, 3) shifts in metres and (F, 3) turns in radians of a camera held in hands."""
    count = len(part)
    shift = make_smooth_noise(rng, count, 3, 5) + 0.25 * make_smooth_noise(rng, count, 3, 1.2)
    angle = make_smooth_noise(rng, count, 3, 4) + 0.3 * make_smooth_noise(rng, count, 3, 1.0)
    return 0.01 * centimetres * shift, np.radians(degrees) * angle * [1, 1, 0.6]


def _walk(part: Array, rng: np.random.Generator) -> _Motion:
    shift, angle = _hold(part, rng, 1.5, 0.7)
    eye = _go(part, (4.4, -3.9, 1.65), (2.9, -2.5, 1.65)) + shift
    eye[:, 2] += 0.03 * np.sin(2 * np.pi * 3.6 * part)  # steps
    return _Motion(eye, np.tile(_WELL + [0.2, 0.3, 0.2], (len(part), 1)), angle)


def _dolly(part: Array, _rng: np.random.Generator) -> _Motion:
    eye = _go(_ease(part), (2.2, -4.6, 1.4), (3.9, -3.2, 1.5))
    target = np.tile(_WELL, (len(part), 1))
    return _Motion(eye, target, np.zeros_like(eye))


def _stand(part: Array, rng: np.random.Generator) -> _Motion:
    sway = 0.012 * make_smooth_noise(rng, len(part), 3, 8)
    eye = np.array([4.9, -5.0, 1.6]) + sway
    target = _go(part, (-0.9, 0.6, 1.2), (-0.3, 1.1, 1.2))
    return _Motion(eye, target, 0.001 * make_smooth_noise(rng, len(part), 3, 6))


def _pan(part: Array, _rng: np.random.Generator) -> _Motion:
    eye = np.tile([3.2, -3.0, 1.6], (len(part), 1))
    pan = np.radians(135 + 30 * (0.5 - _ease(part)))
    tilt = np.radians(-8 + 6 * np.sin(2 * np.pi * part))
    away = np.stack([np.cos(pan), np.sin(pan), np.tan(tilt)], axis=1)
    return _Motion(eye, eye + away, np.zeros_like(eye))


def _film_by_phone(part: Array, rng: np.random.Generator) -> _Motion:
    shift, angle = _hold(part, rng, 1.5, 0.8)
    eye = _go(part, (3.0, -3.6, 1.5), (3.6, -2.1, 1.6)) + shift
    return _Motion(eye, np.tile(_WELL + [0, 0, 0.2], (len(part), 1)), angle)


def _zoom(part: Array, rng: np.random.Generator) -> _Motion:
    eye = _go(_ease(part), (3.7, -3.6, 1.6), (3.55, -3.45, 1.6))
    eye += 0.012 * make_smooth_noise(rng, len(part), 3, 6)
    target = np.tile(_WELL + [0, 0, 0.2], (len(part), 1))
    return _Motion(eye, target, 0.003 * make_smooth_noise(rng, len(part), 3, 5))


def _arc(part: Array, rng: np.random.Generator) -> _Motion:
    angle = np.radians(-62 + 22 * _ease(part))
    eye = _WELL + np.stack([5.2 * np.cos(angle), 5.2 * np.sin(angle), 0.7 + 0.1 * part], axis=1)
    target = np.tile(_WELL + [0.1, 0.2, 0.1], (len(part), 1))
    return _Motion(eye, target, 0.003 * make_smooth_noise(rng, len(part), 3, 5))


def _follow(part: Array, rng: np.random.Generator) -> _Motion:
    shift, angle = _hold(part, rng, 1.2, 0.5)
    eye = _go(part, (3.1, -3.9, 1.6), (3.7, -3.3, 1.6)) + shift
    return _Motion(eye, np.tile(_WELL + [0.1, 0.1, 0.2], (len(part), 1)), angle)


def _pass_wall(part: Array, rng: np.random.Generator) -> _Motion:
    shift, angle = _hold(part, rng, 1.0, 0.4)
    eye = _go(part, (1.0, 2.3, 1.4), (4.4, 2.5, 1.4)) + shift
    return _Motion(eye, _go(part, (1.0, 5.0, 0.9), (4.5, 5.0, 0.9)), angle)


SHOTS: dict[str, Callable[[Array, np.random.Generator], _Motion]] = {
    "walk": _walk,
    "dolly": _dolly,
    "low_parallax": _stand,
    "rotation": _pan,
    "portrait": _film_by_phone,
    "zoom": _zoom,
    "distortion": _arc,
    "person": _follow,
    "blank_walls": _pass_wall,
}


def _walk_across(part: Array) -> Array:
    """Return (F, 3) where the figure is, from one side of the picture to the other."""
    return _go(part, (0.9, -3.2, 0.0), (3.2, -1.2, 0.0))

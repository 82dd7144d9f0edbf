# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: INP001 - a script's neighbour, no package
"""Sequences whose cameras and depth are known exactly, and a stand-in for the network.

Runs in the engine's environment, for `streaming.py` beside it and for tests. Places are boxes on a
ground; depth comes from ray casting. The stand-in answers like a network would, for any frames: in
a unit and world of its own, with cameras that drift, depth that is bent and noisy and in places
confidently wrong, all from a seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from da3_blender.contract.cameras import invert_rigid
from da3_blender.streaming.sim3_batch import exponential
from da3_blender.streaming.store import ChunkResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HEIGHT, WIDTH = 24, 32
FOCAL = 26.0
_FARTHEST = 60.0
_CELL = 18.0
_EYE = 1.6
_DESCRIPTORS = 64
_CHUNK = 120


@dataclass(frozen=True)
class Place:
    """Boxes and a path through them.

    Attributes:
        name: of the trajectory.
        low: (B, 3) corners of the boxes, metres, z up.
        high: (B, 3) opposite corners.
        w2c: (F, 4, 4) float64, OpenCV world-to-camera.
        height: of the depth maps, pixels.
        width: of the depth maps, pixels.
        keeps: depth maps stay in `seen`, for places that are asked many times.
        seen: depth maps by their frames.
    """

    name: str
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    w2c: NDArray[np.float64]
    height: int = HEIGHT
    width: int = WIDTH
    keeps: bool = False
    seen: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """Return the number of frames."""
        return len(self.w2c)

    @property
    def K(self) -> NDArray[np.float64]:  # noqa: N802 - the field's name
        """Return (3, 3), pixels of the depth maps."""
        focal = FOCAL * self.width / WIDTH
        return np.array([[focal, 0, self.width / 2], [0, focal, self.height / 2], [0, 0, 1]])

    def cast(self, frames: Sequence[int]) -> NDArray[np.float32]:
        """Return (n, H, W), exact depth along the optical axis; 0 for sky."""
        height, width = self.height, self.width
        y, x = np.mgrid[:height, :width] + 0.5
        rays = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3) @ np.linalg.inv(self.K).T
        maps = []
        for frame in frames:
            known = self.seen.get(frame)
            if known is None:
                c2w = invert_rigid(self.w2c[frame])
                direction, origin = rays @ c2w[:3, :3].T, c2w[:3, 3]
                hit = _hit(self.low, self.high, origin, direction).reshape(height, width)
                known = hit.astype(np.float32)
                if self.keeps:
                    self.seen[frame] = known
            maps.append(known)
        return np.stack(maps)


def _hit(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    origin: NDArray[np.float64],
    direction: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return (P,), distances in lengths of the rays; 0 where nothing is hit."""
    near = (np.abs((low + high) / 2 - origin)[:, :2] < _FARTHEST + (high - low)[:, :2] / 2).all(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        one = (low[near][:, None] - origin) / direction
        two = (high[near][:, None] - origin) / direction
        enter = np.nanmax(np.minimum(one, two), axis=2)
        leave = np.nanmin(np.maximum(one, two), axis=2)
        ground = np.where(direction[:, 2] < 0, -origin[2] / direction[:, 2], np.inf)
    is_hit = (enter < leave) & (leave > 0)
    # inside a box, such as a room, its far wall is seen
    distance = np.where(is_hit, np.where(enter > 0, enter, leave), np.inf)
    nearest = np.minimum(distance.min(axis=0, initial=np.inf), ground)
    return np.where(nearest < _FARTHEST, nearest, 0.0)


def make_place(name: str, frames: int) -> Place:
    """Make one of TRAJECTORIES.

    Args:
        name: a key of TRAJECTORIES.
        frames: of the path.
    """
    positions, forward, boxes = TRAJECTORIES[name](frames)
    forward = forward / np.linalg.norm(forward, axis=1, keepdims=True)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    rotation = np.stack((right, np.cross(forward, right), forward), axis=1)
    w2c = np.tile(np.eye(4), (frames, 1, 1))
    w2c[:, :3, :3] = rotation
    w2c[:, :3, 3] = -np.einsum("fij,fj->fi", rotation, positions)
    low, high = (np.array(corner) for corner in zip(*boxes, strict=True))
    return Place(name, low, high, w2c)


def _walk(corners: list[tuple[float, float]], frames: int) -> tuple[NDArray, NDArray]:
    """Return positions and directions of a walk along a line of corners, rounded at them."""
    points = np.array(corners, float)
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate(([0.0], np.cumsum(lengths)))
    at = np.linspace(0, along[-1], frames)

    def place(where: NDArray[np.float64]) -> NDArray[np.float64]:
        where = np.clip(where, 0, along[-1])
        return np.stack([np.interp(where, along, points[:, axis]) for axis in (0, 1)], axis=1)

    # a mean over some metres rounds the corners
    offsets = np.linspace(-3, 3, 13)
    flat = np.mean([place(at + offset) for offset in offsets], axis=0)
    ahead = np.mean([place(at + offset + 2) for offset in offsets], axis=0) - flat
    last = np.linalg.norm(ahead, axis=1) > 1e-6  # noqa: PLR2004 - the end looks on
    ahead[~last] = ahead[last][-1]
    sway = 0.05 * np.sin(np.arange(frames) * 0.7)
    return (
        np.column_stack((flat, _EYE + sway)),
        np.column_stack((ahead, -0.05 * np.ones(frames))),
    )


def _make_houses(across: int, down: int, seed: int) -> list[tuple]:
    random = np.random.default_rng(seed)
    boxes = []
    for i in range(across):
        for j in range(down):
            centre = np.array([(i + 0.5) * _CELL, (j + 0.5) * _CELL])
            half = random.uniform(4.5, 6.5, 2)
            height = random.uniform(4, 14)
            boxes.append(((*(centre - half), 0.0), (*(centre + half), height)))
            for _ in range(3):  # steps, sheds and boxes in front of the houses
                side = centre + (half + 0.7) * random.choice((-1, 1), 2) * random.uniform(0, 1, 2)
                size = random.uniform(0.3, 1.0, 2)
                boxes.append(((*(side - size), 0.0), (*(side + size), random.uniform(0.5, 3))))
    return boxes


def _make_street(frames: int) -> tuple:
    """Twice around one block, then around a larger one, with the same streets in between."""
    c = _CELL
    block = [(c, c), (2 * c, c), (2 * c, 2 * c), (c, 2 * c)]
    large = [(c, c), (3 * c, c), (3 * c, 3 * c), (c, 3 * c)]
    corners = [*block, *block, *large, (c, c), (1.6 * c, c)]
    return (*_walk(corners, frames), _make_houses(4, 4, 1))


def _make_ring(frames: int) -> tuple:
    """Once around a square, looking ahead, and a little on."""
    angle = np.linspace(0, 2 * np.pi * 1.08, frames)
    centre, radius = 1.5 * _CELL, 1.05 * _CELL
    positions = np.column_stack(
        (
            centre + radius * np.cos(angle),
            centre + radius * np.sin(angle),
            np.full(frames, _EYE),
        )
    )
    forward = np.column_stack((-np.sin(angle), np.cos(angle), np.full(frames, -0.05)))
    houses = [
        box
        for box in _make_houses(3, 3, 2)
        if abs(np.hypot((box[0][0] + box[1][0]) / 2 - centre, (box[0][1] + box[1][1]) / 2 - centre))
        < 0.4 * _CELL
        or np.hypot((box[0][0] + box[1][0]) / 2 - centre, (box[0][1] + box[1][1]) / 2 - centre)
        > 1.35 * _CELL
    ]
    wall = [((-6.0, -6.0, 0.0), (3 * _CELL + 6, 3 * _CELL + 6, 9.0))]
    return positions, forward, houses + wall


def _make_rooms(frames: int) -> tuple:
    """Zig-zag through a hall with screens in it, there and back on the other side of them."""
    length, width, gap = 48.0, 12.0, 6.0
    random = np.random.default_rng(3)
    boxes = [((0.0, 0.0, 0.0), (length, width, 4.0))]
    corners = [(2.0, 3.0)]
    for number in range(1, int(length / gap)):
        x = number * gap
        reach = (0.0, 8.5) if number % 2 else (3.5, width)
        boxes.append(((x - 0.15, reach[0], 0.0), (x + 0.15, reach[1], 3.2)))
        corners.append((x, 10.2 if number % 2 else 1.8))
        low = np.array([x + 1.5, random.uniform(4, 7)])
        boxes.append(((*low, 0.0), (*(low + random.uniform(0.5, 1.2, 2)), random.uniform(0.5, 2))))
    corners.append((length - 2, 6.0))
    there = corners
    back = [(x - 1.0, y) for x, y in reversed(corners[:-1])]
    return (*_walk([*there, *back], frames), boxes)


TRAJECTORIES = {"street": _make_street, "ring": _make_ring, "rooms": _make_rooms}


@dataclass
class StandIn:
    """Answers for any frames of a place like a network: right but for errors of a known size.

    Attributes:
        place: what is seen.
        seed: of all errors.
        turn_deg: random walk of the cameras' rotation, degrees for each frame.
        slip: random walk of their position, share of the way between frames.
        bend: size of the smooth error of depth over picture and time.
        noise: of single pixels, share of the depth.
        outliers: share of pixels that are confidently wrong, in patches that move.
        calls: how often it was asked.
    """

    place: Place
    seed: int = 0
    turn_deg: float = 0.05
    slip: float = 0.02
    bend: float = 0.04
    noise: float = 0.03
    outliers: float = 0.05
    calls: int = 0

    def predict(self, frames: Sequence[int]) -> ChunkResult:
        """Look at some frames together."""
        self.calls += 1
        numbers = list(frames)
        random = np.random.default_rng((self.seed, numbers[0], numbers[-1], len(numbers)))
        true_w2c = self.place.w2c[numbers]
        depth = self.place.cast(numbers).astype(np.float64)
        w2c, unit = self._make_cameras(true_w2c, random)
        depth, confidence = self._disturb(depth, random)
        return ChunkResult(
            (depth * unit).astype(np.float32),
            confidence.astype(np.float32),
            w2c,
            np.tile(self.place.K, (len(numbers), 1, 1)),
            self._describe(numbers, true_w2c),
        )

    def _make_cameras(
        self, true_w2c: NDArray[np.float64], random: np.random.Generator
    ) -> tuple[NDArray[np.float64], float]:
        """Return cameras in the world of the first one and a unit of their own."""
        c2w = invert_rigid(true_w2c)
        steps = np.linalg.inv(c2w[:-1]) @ c2w[1:]
        # as sure of any set of views as of a chunk, however many there are
        few = (_CHUNK / max(len(steps), 1)) ** 0.5
        ways = np.linalg.norm(steps[:, :3, 3], axis=1)
        # a jump, as between the ends of a loop, is seen and not walked
        ways = np.minimum(ways, 4 * np.median(ways)) if len(ways) else ways
        errors = np.zeros((len(steps), 7))
        errors[:, :3] = few * self.slip * ways[:, None] * random.normal(size=(len(steps), 3))
        errors[:, 3:6] = few * np.radians(self.turn_deg) * random.normal(size=(len(steps), 3))
        moves = exponential(errors)
        wrong = np.tile(np.eye(4), (len(steps), 1, 1))
        wrong[:, :3, :3], wrong[:, :3, 3] = moves.rotations, moves.translations
        poses = [np.eye(4)]
        for step, error in zip(steps, wrong, strict=True):
            poses.append(poses[-1] @ step @ error)
        unit = float(np.exp(random.normal(0, 0.5)))
        own = np.stack(poses)
        own[:, :3, 3] *= unit
        return invert_rigid(own), unit

    def _disturb(
        self, depth: NDArray[np.float64], random: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        count, height, width = depth.shape
        y, x = np.mgrid[:height, :width] / max(height, width)
        waves = random.normal(size=(3, 4))
        time = np.linspace(0, 1, count)[:, None, None]
        smooth = sum(np.sin(2 * np.pi * (a * x + b * y + c * time) + 3 * d) for a, b, c, d in waves)
        # far things are less sure, and it is known
        error = self.noise * (0.5 + np.clip(depth, 0, 30) / 10)
        wrong = np.exp(self.bend * smooth / 2 + error * random.normal(size=depth.shape))
        said = depth * wrong
        confidence = 1 / np.maximum(error, 1e-3) * np.exp(0.2 * random.normal(size=depth.shape))
        confidence[depth == 0] = 0.1
        if self.outliers:
            side = max(1, round((self.outliers * height * width) ** 0.5))
            left = random.uniform(0, width - side)
            speed = random.uniform(-0.3, 0.3) * width / WIDTH
            for frame in range(count):
                column = int(np.clip(left + speed * frame, 0, width - side))
                patch = np.s_[frame, height // 2 : height // 2 + side, column : column + side]
                walker = 2.5 + 0.02 * frame
                said[patch] = np.where(depth[patch] > walker, walker, said[patch])
                confidence[patch] = confidence[frame].max()
        return said, confidence

    def _describe(self, numbers: list[int], true_w2c: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return descriptors that are alike where place and direction are."""
        c2w = invert_rigid(true_w2c)
        where = np.concatenate((c2w[:, :3, 3] / 3.0, 2.0 * c2w[:, :3, 2]), axis=1)
        fixed = np.random.default_rng(11)
        waves = fixed.normal(size=(6, _DESCRIPTORS))
        features = np.cos(where @ waves + fixed.uniform(0, 2 * np.pi, _DESCRIPTORS))
        noise = [
            np.random.default_rng((self.seed, 5, n)).normal(size=_DESCRIPTORS) for n in numbers
        ]
        return (features + 0.15 * np.array(noise) + 0.7).astype(np.float32)

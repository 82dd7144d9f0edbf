# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody would score who never looks at the pictures: the best constant guess.

Runs in the engine. Printed beside every score, so that one can tell how much was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.cameras import invert_rigid
from .depth_error import ALIGNMENTS, measure_each, measure_together
from .measure_cameras import measure_cameras
from .relative_pose import measure_auc, measure_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .scene import Scene

_PIXELS_PER_FRAME = 100_000
_JUDGED_BY_DEG = 30


@dataclass(frozen=True, eq=False)
class CameraTruth:
    """The little that a guess is made from, kept after its scene is gone.

    w2c: (N, 4, 4); K: (N, 3, 3); sizes: N pairs (width, height).
    """

    w2c: NDArray[np.float64]
    K: NDArray[np.float64]
    sizes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class CameraGuess:
    """One motion from every frame to the next, and one lens for all.

    step: (4, 4) E_(i+1) inv(E_i) of world-to-camera E; focal: in shares of the longer side.
    """

    step: NDArray[np.float64]
    focal: float

    def place(self, count: int) -> NDArray[np.float64]:
        """Return (count, 4, 4) world-to-camera, the first at the origin."""
        w2c = [np.eye(4)]
        for _ in range(count - 1):
            w2c.append(self.step @ w2c[-1])
        return np.array(w2c)

    def make_lenses(self, sizes: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        """Return (N, 3, 3) intrinsics of pictures of some sizes."""
        return np.array(
            [
                [[self.focal * max(size), 0, size[0] / 2], [0, self.focal * max(size), size[1] / 2],
                 [0, 0, 1.0]]
                for size in sizes
            ]
        )  # fmt: skip


def guess_cameras(truths: Sequence[CameraTruth]) -> CameraGuess:
    """Find the constant motion and lens that fit a set of scenes best, knowing its truth.

    The direction is the main axis of all true directions (the measure ignores the sign), the
    rotation the mean of all, or none: whichever scores better over the set.

    Args:
        truths: of all scenes, at least one.
    """
    steps = [t.w2c[1:] @ invert_rigid(t.w2c)[:-1] for t in truths]
    moved = np.concatenate(steps) if steps else np.zeros((0, 4, 4))
    focals = [
        float(np.sqrt(K[0, 0] * K[1, 1])) / max(size)
        for truth in truths
        for K, size in zip(truth.K, truth.sizes, strict=True)
    ]
    focal = float(np.median(focals))
    directions = moved[:, :3, 3]
    lengths = np.linalg.norm(directions, axis=1)
    directions = directions[lengths > 0] / lengths[lengths > 0, None]
    axis = np.array([1.0, 0.0, 0.0])
    if len(directions):
        axis = np.linalg.eigh(directions.T @ directions)[1][:, -1]
    rotations = [np.eye(3)]
    if len(moved):
        u, _, vt = np.linalg.svd(moved[:, :3, :3].sum(axis=0))
        rotations.append((u * (1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt)))) @ vt)
    guesses = []
    for rotation in rotations:
        step = np.eye(4)
        step[:3, :3], step[:3, 3] = rotation, axis
        guesses.append(CameraGuess(step, focal))
    return max(guesses, key=lambda guess: _judge(guess, truths))


def _judge(guess: CameraGuess, truths: Sequence[CameraTruth]) -> float:
    scores = [
        measure_auc(measure_pairs(guess.place(len(t.w2c)), t.w2c).worst, _JUDGED_BY_DEG)
        for t in truths
    ]
    scores = [score for score in scores if np.isfinite(score)]
    return float(np.mean(scores)) if scores else 0.0


def score_camera_guess(guess: CameraGuess, truth: CameraTruth, name: str) -> dict[str, Any]:
    """Measure a guess of cameras against one scene, as an estimate is measured."""
    from .scene import LazyList, Scene

    count = len(truth.w2c)
    nothing = LazyList(count, lambda _i: np.zeros((1, 1, 3), np.uint8))
    scene = Scene(name, nothing, truth.w2c, truth.K, truth.sizes)
    lenses = guess.make_lenses(truth.sizes)
    return measure_cameras(scene, np.arange(count), guess.place(count), lenses)


def score_depth_guess(scene: Scene) -> dict[str, Any]:
    """Measure the median of the true depth of the whole scene as the depth of every pixel.

    Args:
        scene: with true depth.
    """
    true = []
    for frame in range(len(scene)):
        depth = scene.read_true_depth(frame)
        if depth is not None:
            known = depth[np.isfinite(depth)]
            true.append(known[:: max(1, len(known) // _PIXELS_PER_FRAME)])
    if not sum(map(len, true)):
        return {}
    middle = np.median(np.concatenate(true))
    flat = [np.full(len(part), middle) for part in true]
    return {
        alignment: {
            "image": measure_each(flat, true, alignment)._asdict(),
            "sequence": measure_together(flat, true, alignment)._asdict(),
        }
        for alignment in ALIGNMENTS
    }

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One scene with its truth, from a folder or made in memory.

Runs in the engine.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, overload

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..inference.given_cameras import check_cameras, check_intrinsics
from .scene_facts import SceneFacts

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from .dtu import Observation

FRAMES_SEED: Final = 42  # of the choice among many frames, as in the published evaluation

Item = TypeVar("Item")


class LazyList(Sequence, Generic[Item]):
    """A list whose entries are made when they are asked for, and not kept.

    Args:
        count: number of entries.
        make: makes entry i.
    """

    def __init__(self, count: int, make: Callable[[int], Item]) -> None:
        self._count = count
        self._make = make

    def __len__(self) -> int:
        """Return the number of entries."""
        return self._count

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> LazyList[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | LazyList[Item]:
        """Make one entry, or take a part without making anything."""
        if isinstance(index, slice):
            return self.choose(range(self._count)[index])
        return self._make(range(self._count)[index])

    def choose(self, indices: Sequence[int]) -> LazyList[Item]:
        """Return a list of some entries, in another order if wanted."""
        return LazyList(len(indices), lambda i: self._make(indices[i]))


@dataclass(frozen=True, eq=False)
class Scene:
    """Pictures of one place with the true cameras, and the true depth where it is known.

    Args:
        name: unique among the scenes of an evaluation.
        images: N pictures (h, w, 3) uint8 sRGB; may be decoded when asked for.
        w2c: (N, 4, 4) true OpenCV world-to-camera.
        K: (N, 3, 3) true intrinsics, pixels of the pictures.
        sizes: N pairs (width, height) of the pictures; None asks the pictures.
        frame_names: names of the pictures; () numbers them.
        depth: N true depth maps (h', w') float32, scene units along the optical axis, each of the
            shape of its picture but maybe of another size; values <= 0 or not finite are unknown.
            An entry, or the whole, may be None.
        valid: N masks (h', w') bool, pixels of the depth maps that count; entries may be None.
        true_points: gives (M, 3) points of the true surface; None where only depth tells it.
        observation: what a scanner saw, for the measure of the DTU set.
        facts: limits and names.
        paths: files of the pictures, where they are on disk.
        notes: sentences for the user.

    Raises:
        EngineError: INPUT_EMPTY or INPUT_MISMATCH with the scene's name.
    """

    name: str
    images: Sequence[NDArray[np.uint8]]
    w2c: NDArray[np.float64]
    K: NDArray[np.float64]
    sizes: tuple[tuple[int, int], ...] | None = None
    frame_names: tuple[str, ...] = ()
    depth: Sequence[NDArray[np.floating] | None] | None = None
    valid: Sequence[NDArray[np.bool_] | None] | None = None
    true_points: Callable[[], NDArray[np.floating]] | None = None
    observation: Observation | None = None
    facts: SceneFacts = field(default_factory=SceneFacts)
    paths: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        count = len(self.images)
        if not count:
            raise EngineError(
                ErrorCode.INPUT_EMPTY, f"The scene {self.name} has no pictures.", "Add some."
            )
        for what, part in (
            ("sizes", self.sizes),
            ("names", self.frame_names or None),
            ("depth maps", self.depth),
            ("masks", self.valid),
            ("paths", self.paths or None),
        ):
            if part is not None and len(part) != count:
                why = f"there are {count} pictures and {len(part)} {what}"
                raise self.refuse(why)
        try:
            w2c, K = check_cameras(self.w2c, count), check_intrinsics(self.K, count)
        except EngineError as error:
            raise self.refuse(error.message.removesuffix("."), error.hint) from error
        sizes = self.sizes or tuple((image.shape[1], image.shape[0]) for image in self.images)
        names = self.frame_names or tuple(f"{i:06d}.png" for i in range(count))
        for name, value in (("w2c", w2c), ("K", K), ("sizes", sizes), ("frame_names", names)):
            object.__setattr__(self, name, value)

    def refuse(self, why: str, hint: str = "Mend the scene or leave it out.") -> EngineError:
        """Return an error about this scene."""
        message = f"The scene {self.name} cannot be measured: {why}."
        return EngineError(ErrorCode.INPUT_MISMATCH, message, hint)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.images)

    def choose_frames(self, indices: Sequence[int]) -> Scene:
        """Return the scene with some of its frames, in the order given."""
        indices = list(indices)
        return replace(
            self,
            images=_choose(self.images, indices),
            w2c=self.w2c[indices],
            K=self.K[indices],
            sizes=tuple(self.sizes[i] for i in indices),
            frame_names=tuple(self.frame_names[i] for i in indices),
            depth=None if self.depth is None else _choose(self.depth, indices),
            valid=None if self.valid is None else _choose(self.valid, indices),
            paths=tuple(self.paths[i] for i in indices) if self.paths else (),
        )

    def limit_frames(self, max_frames: int) -> Scene:
        """Return the scene with at most so many frames, chosen as the published evaluation does.

        Args:
            max_frames: -1 keeps all.
        """
        if not 0 < max_frames < len(self):
            return self
        indices = list(range(len(self)))
        random.Random(FRAMES_SEED).shuffle(indices)  # noqa: S311 - the published choice
        return self.choose_frames(sorted(indices[:max_frames]))

    def read_true_depth(self, index: int) -> NDArray[np.float32] | None:
        """Return the true depth of a frame, NaN where it is unknown or masked out; None without.

        Raises:
            EngineError: INPUT_MISMATCH; the depth map has another shape than its picture or mask.
        """
        stored = None if self.depth is None else self.depth[index]
        if stored is None:
            return None
        name = self.frame_names[index]
        depth = np.array(stored, np.float32)
        width, height = self.sizes[index]
        if depth.ndim != 2 or not _are_alike(depth.shape, (height, width)):  # noqa: PLR2004
            why = f"the depth of {name} has shape {depth.shape}, the picture is {width} x {height}"
            hint = "Give depth maps of the size of their pictures, or smaller by one factor."
            raise self.refuse(why, hint)
        mask = None if self.valid is None else self.valid[index]
        if mask is not None and np.shape(mask) != depth.shape:
            why = f"the mask of {name} has shape {np.shape(mask)}, its depth {depth.shape}"
            raise self.refuse(why, "Give masks of the size of the depth maps.")
        with np.errstate(invalid="ignore"):
            good = np.isfinite(depth) & (depth > 0) & (depth < _NOTHING)
        if mask is not None:
            good &= mask
        depth[~good] = np.nan
        return depth


_NOTHING: Final = 1e9  # renderers write 1e10 where a ray hits nothing


def _choose(items: Sequence[Any], indices: Sequence[int]) -> Sequence[Any]:
    """Return some entries without making those of a LazyList."""
    if isinstance(items, LazyList):
        return items.choose(indices)
    return [items[i] for i in indices]


def _are_alike(shape: tuple[int, ...], picture: tuple[int, int]) -> bool:
    """Tell whether a map has the shape of its picture, but for rounding to whole pixels."""
    height, width = picture
    factor = shape[1] / width
    return abs(shape[0] - height * factor) <= max(1.0, factor)

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The photos behind the cameras: as they are where Blender can show them, else converted.

Runs in the engine.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from ..contract.names import PHOTOS_FOLDER
from ..media import save_photo
from ..media.grid_picture import reduce_to_grid
from ..solve import Lens, undistort_photo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ..contract.views import PhotoSource, View
    from ..media.frame_masks import FrameMasks


class SupportsReport(Protocol):
    """What is told how far a step is."""

    def report(self, fraction: float, /, detail: str = "") -> None:
        """Take the finished share, 0 to 1, and what is counted."""
        ...


class Silent:
    """Takes reports that nobody wants: pictures are read for their copies, or counted elsewhere."""

    def report(self, fraction: float, detail: str = "") -> None:
        """Tell nobody."""


# Share of a pixel of the depth map that must be masked: what is half masked mixes both.
_COVERED: Final = 0.25
# Characters that file systems or Blender's image sequences trip over.
_LAST_NUMBER = re.compile(r"[ _.-]*\d+$")
_UNSAFE = re.compile(r'[#:*?"<>|\\/\x00-\x1f]+')


class PinholePhotos:
    """Pinhole pictures of chosen views, and the file that Blender shows for each.

    Args:
        source: decoded photos.
        indices: the views that got a camera, ascending.
        lenses: a lens per index, or None where the photo counts as a pinhole picture.
        folder: work folder of the result; converted photos go to its `photos` folder.
    """

    def __init__(
        self,
        source: PhotoSource,
        indices: Sequence[int],
        lenses: Sequence[Lens | None],
        folder: Path,
    ) -> None:
        self._source = source
        self._lens = dict(zip(indices, lenses, strict=True))
        self._folder = folder / PHOTOS_FOLDER
        self._names = name_copies([source.views[i] for i in indices])
        self.indices = list(indices)
        self.reductions: list[float] = []
        self.masks: FrameMasks | None = None
        self.files = [
            f"{PHOTOS_FOLDER}/{self._names[position]}"
            if self._is_copied(i)
            else source.views[i].path
            for position, i in enumerate(indices)
        ]

    def use_masks(self, masks: FrameMasks) -> None:
        """Let `read_hidden` look at masks."""
        self.masks = masks

    def read_hidden(
        self, index: int, grid_from_photo: NDArray[np.floating], size: tuple[int, int]
    ) -> NDArray[np.bool_] | None:
        """Tell which pixels of a depth map are masked.

        Args:
            index: of the source's views.
            grid_from_photo: (3, 3), pixels of the pinhole photo to those of the depth map.
            size: width and height of the depth map.

        Returns:
            (size[1], size[0]) bool, True where nothing is to be made, or None if that is nowhere.

        Raises:
            EngineError: INPUT_MISSING or INPUT_UNREADABLE, with the path of the mask.
        """
        hidden = None if self.masks is None else self.masks.read(index)
        if hidden is None:
            return None
        view, lens = self._source.views[index], self._lens[index]
        shades = np.where(hidden, np.uint8(255), np.uint8(0))
        if lens is not None and lens.needs_undistortion:
            height, width = shades.shape
            scale = np.diag([lens.width / width, lens.height / height, 1.0])
            whole = reduce_to_grid(shades, scale, (lens.width, lens.height))
            shades = undistort_photo(np.repeat(whole[..., None], 3, axis=-1), lens)[..., 0]
        height, width = shades.shape
        scale = np.diag([view.width / width, view.height / height, 1.0])
        covered = reduce_to_grid(shades, grid_from_photo @ scale, size)
        return covered > _COVERED * 255

    def _is_copied(self, index: int) -> bool:
        lens = self._lens[index]
        distorted = lens is not None and lens.needs_undistortion
        return distorted or self._source.views[index].needs_copy

    def save_copies(self, progress: SupportsReport, some: Sequence[int] | None = None) -> None:
        """Write the photos that need converting, when no network looks at them anyway.

        Args:
            progress: is told of every photo.
            some: indices, ascending; None for all.
        """
        chosen = self.indices if some is None else some
        wanted = [i for i in chosen if self._is_copied(i)]
        for _ in self._convert(wanted, progress):
            pass

    def iterate(self, progress: SupportsReport, least_side: int = 0) -> Iterator[NDArray[np.uint8]]:
        """Yield the pinhole picture of every index in order, and write copies on the way.

        Args:
            progress: is told of every photo.
            least_side: photos may come smaller by 2, 4 or 8 as long as their longer side keeps
                this many pixels; 0 keeps the size. `reductions` has the factors afterwards.

        Yields:
            (height, width, 3) uint8 sRGB.
        """
        if any(self._is_copied(index) for index in self.indices):
            least_side = 0  # copies have the size of the photo
        self.reductions = []
        for _, image in self.iterate_some(self.indices, progress, least_side):
            yield image

    def iterate_some(
        self, wanted: Sequence[int], progress: SupportsReport, least_side: int = 0
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield index and pinhole picture of some indices, ascending; see `iterate`.

        `reductions` gets the factors of those that were yielded, one after the other.
        """
        if any(self._is_copied(index) for index in wanted):
            least_side = 0
        for index, image in self._convert(wanted, progress, least_side):
            self.reductions.append(self._source.views[index].width / image.shape[1])
            yield index, image

    def _convert(
        self, wanted: Sequence[int], progress: SupportsReport, least_side: int = 0
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        position = {index: n for n, index in enumerate(self.indices)}
        for done, (index, original) in enumerate(self._source.iterate(least_side, wanted)):
            progress.report(done / len(wanted), f"{done + 1} of {len(wanted)} photos")
            lens = self._lens[index]
            image = original
            if lens is not None and lens.needs_undistortion:
                image = undistort_photo(original, lens)
            if self._is_copied(index):
                self._folder.mkdir(exist_ok=True)
                save_photo(image, self._folder / self._names[position[index]])
            yield index, image


def name_copies(views: Sequence[View]) -> list[str]:
    """Return a file name per view: safe everywhere, unique, with the frame number at its end."""
    names: list[str] = []
    taken: set[str] = set()
    for view in views:
        base = view.name.rsplit("#", 1)[0] if view.frame is not None else view.name
        stem = _UNSAFE.sub("_", Path(base).stem) or "photo"
        if view.frame is not None:  # Blender's sequences have one number, at the end
            stem = _LAST_NUMBER.sub("", stem) or "frame"
        name = stem if view.frame is None else f"{stem}_{view.frame:06d}"
        unique, count = name, 1
        while unique.casefold() in taken:
            count += 1
            unique = f"{name}-{count}"
        taken.add(unique.casefold())
        names.append(unique + ".jpg")
    return names

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some frames of a source, as a source of their own.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..contract.views import PhotoSource


class ChosenFrames:
    """A `PhotoSource` with the chosen views of another one.

    Args:
        source: has all frames.
        chosen: indices of its views, ascending.
    """

    def __init__(self, source: PhotoSource, chosen: Sequence[int]) -> None:
        self._source = source
        self.chosen = tuple(chosen)
        self.kind = source.kind
        self.views = tuple(source.views[index] for index in self.chosen)
        self.fps: float | None = source.fps
        self.skipped = source.skipped

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode one view, see `PhotoSource.read`."""
        return self._source.read(self.chosen[index])

    def iterate(
        self, least_side: int = 0, wanted: Sequence[int] | None = None
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Decode views in order, see `PhotoSource.iterate`."""
        indices = range(len(self.chosen)) if wanted is None else wanted
        pictures = self._source.iterate(least_side, [self.chosen[index] for index in indices])
        for index, (_, image) in zip(indices, pictures, strict=True):
            yield index, image

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos and image sequences as a source of pictures.

Runs in the engine.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from .exr_file import is_exr, read_exr
from .linear_light import choose_exposure, map_tones
from .picture_file import REDUCTIONS, decode_picture
from .unusable import UnusableFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ..contract.views import SourceKind, View

_THREADS: Final = 2
_MAX_AHEAD: Final = 3
_MAX_AHEAD_PIXELS: Final = 150_000_000
_EXPOSURE_SAMPLES: Final = 5


class PhotoFiles:
    """A `PhotoSource` that reads one file per view.

    Args:
        kind: PHOTOS or SEQUENCE.
        views: at most one per file.
        linear: the paths among them that are EXR files; they share one exposure.
        skipped: one sentence per file that was left out.
    """

    def __init__(
        self,
        kind: SourceKind,
        views: Sequence[View],
        linear: Sequence[str] = (),
        skipped: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.views = tuple(views)
        self.fps: float | None = None
        self.skipped = tuple(skipped)
        self._linear = tuple(linear)
        self._exposure: float | None = None
        self._exposure_lock = threading.Lock()

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode one view.

        Args:
            index: of `views`.

        Returns:
            (height, width, 3) uint8 sRGB, upright, of the view's size.

        Raises:
            EngineError: INPUT_UNREADABLE or INPUT_MISSING with the path.
        """
        return self._read(index, 0)

    def _read(self, index: int, least_side: int) -> NDArray[np.uint8]:
        view = self.views[index]
        path = Path(view.path)
        try:
            pixels = self._decode(path, least_side)
            _check_unchanged(pixels, view)
        except UnusableFile as finding:
            raise finding.to_error(path) from finding
        return pixels

    def iterate(
        self, least_side: int = 0, wanted: Sequence[int] | None = None
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Decode views in order, a few ahead of the caller.

        Args:
            wanted: indices of `views`, ascending; None for all.
            least_side: JPEG pictures come smaller by 2, 4 or 8, without decoding them whole,
                as long as their longer side keeps this many pixels; 0 keeps all.

        Returns:
            Pairs of index and (height, width, 3) uint8 sRGB, upright.

        Raises:
            EngineError: INPUT_UNREADABLE or INPUT_MISSING with the path.
        """
        largest = max((view.width * view.height for view in self.views), default=1)
        ahead = max(1, min(_MAX_AHEAD, _MAX_AHEAD_PIXELS // largest))
        waiting: deque[Future[NDArray[np.uint8]]] = deque()
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="photo")
        chosen = range(len(self.views)) if wanted is None else wanted
        try:
            for index in chosen[:ahead]:
                waiting.append(pool.submit(self._read, index, least_side))
            for place, index in enumerate(chosen):
                pixels = waiting.popleft().result()
                if place + ahead < len(chosen):
                    waiting.append(pool.submit(self._read, chosen[place + ahead], least_side))
                yield index, pixels
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _decode(self, path: Path, least_side: int) -> NDArray[np.uint8]:
        if is_exr(path):
            return map_tones(read_exr(path), self._find_exposure())
        return decode_picture(path, least_side)

    def _find_exposure(self) -> float:
        """Measure the exposure of the set once, from a few files; damaged ones do not count."""
        with self._exposure_lock:
            if self._exposure is None:
                count = min(_EXPOSURE_SAMPLES, len(self._linear))
                chosen = np.linspace(0, len(self._linear) - 1, count).round().astype(int)
                pictures = []
                for index in chosen:
                    try:
                        pictures.append(read_exr(Path(self._linear[index])))
                    except UnusableFile:  # `read` reports it when its turn comes
                        continue
                self._exposure = choose_exposure(pictures)
            return self._exposure


def _check_unchanged(pixels: NDArray[np.uint8], view: View) -> None:
    height, width = pixels.shape[:2]
    expected = {(view.width // f, view.height // f) for f in (1, *REDUCTIONS)}
    if (width, height) not in expected:
        raise UnusableFile(
            reason=f"it has {width} x {height} pixels now and had {view.width} x {view.height}"
            " when the run began"
        )

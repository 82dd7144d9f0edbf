# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views and where their pixels come from.

Runs in both processes; sources are implemented in the engine's `media` package.
"""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray


class SourceKind(enum.Enum):
    """What the input is; it decides between a camera per photo and one animated camera."""

    PHOTOS = "photos"
    SEQUENCE = "sequence"
    VIDEO = "video"


@dataclass(frozen=True)
class View:
    """One image that gets a camera.

    Args:
        name: file name, unique in the set; frames of a video are `clip.mp4#000120`.
        path: absolute path of the photo or of the video.
        width: pixels of the original photo, after its EXIF rotation.
        height: pixels.
        frame: number on the time line (sequence: the file's number, video: 1 = first frame).
        focal_prior_px: focal length from EXIF in pixels of the original photo, or None.
        camera_label: camera maker, model and lens from EXIF, to tell lenses apart; may be "".
        needs_copy: Blender cannot show the file as it is (HEIC, EXIF rotation, rotated video),
            so the results folder needs a converted photo.
    """

    name: str
    path: str
    width: int
    height: int
    frame: int | None = None
    focal_prior_px: float | None = None
    camera_label: str = ""
    needs_copy: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a manifest."""
        return asdict(self)


class PhotoSource(Protocol):
    """Decoded images of one input, without holding them all in memory.

    Every array is (height, width, 3) uint8 sRGB, upright (EXIF rotation applied), of the size
    that its `View` says.
    """

    kind: SourceKind
    views: tuple[View, ...]
    fps: float | None
    skipped: tuple[str, ...]
    """One sentence per file that was left out, with the reason."""

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode one view; for a video, `iterate` is much faster.

        Raises:
            EngineError: INPUT_UNREADABLE with the path.
        """
        ...

    def iterate(
        self, least_side: int = 0, wanted: Sequence[int] | None = None
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Decode views in order, one at a time.

        Args:
            wanted: indices of `views`, ascending; None for all.
            least_side: pictures may come smaller by exactly 2, 4 or 8 where that is cheaper
                to decode, as long as their longer side keeps this many pixels; 0 keeps all.
        """
        ...

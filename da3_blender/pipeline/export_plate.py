# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The original pictures of a result, read again for an export.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract.errors import EngineError, ErrorCode
from ..contract.settings import RunSettings
from ..contract.views import SourceKind
from ..media import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..contract.result_folder import Result
    from ..contract.views import PhotoSource


def open_plate(result: Result) -> PhotoSource:
    """Open the input of a result as it is now.

    Raises:
        EngineError: INPUT_MISSING and others of opening an input.
    """
    paths = list(dict.fromkeys(str(view.get("path") or "") for view in result.views))
    source = result.manifest.get("source") or {}
    is_video = source.get("kind") == SourceKind.VIDEO.value
    kind = "VIDEO" if is_video else "PHOTOS"
    return open_source(RunSettings(inputs=tuple(paths), output="", input_kind=kind))


def iterate_plate(
    result: Result, rows: Sequence[int], least_side: int = 0
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield original pictures of some views, one at a time.

    Args:
        result: whose pictures are read.
        rows: of the result's views, in any order.
        least_side: pictures may come smaller as long as their longer side keeps this many pixels.

    Yields:
        row and (H, W, 3) uint8 sRGB, distorted as the photo is.

    Raises:
        EngineError: INPUT_MISSING, INPUT_UNREADABLE; INPUT_MISMATCH, the files have changed.
    """
    source = open_plate(result)
    by_frame = source.kind is SourceKind.VIDEO
    keys = {(view.frame if by_frame else view.path): n for n, view in enumerate(source.views)}
    wanted: dict[int, int] = {}
    for row in rows:
        view = result.views[row]
        index = keys.get(view.get("frame") if by_frame else view.get("path"))
        size = (0, 0) if index is None else (source.views[index].width, source.views[index].height)
        if index is None or size != (view["width"], view["height"]):
            raise EngineError(
                ErrorCode.INPUT_MISMATCH,
                f"The picture {view['name']} is not the one that was reconstructed.",
                "Put the original pictures back, or run Reconstruct again.",
            )
        wanted[index] = row
    for index, picture in source.iterate(least_side, sorted(wanted)):
        yield wanted[index], picture

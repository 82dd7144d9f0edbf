# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One decoded video frame to an upright sRGB picture with square pixels.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange, Colorspace, Interpolation

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

# Codes of ITU-T H.273 in the stream -> the matrices that the converter knows.
_MATRIX_OF_CODE: Final = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
# Untagged video: players take BT.709 from this size on, and BT.601 below.
_HD_WIDTH: Final = 1280
_HD_HEIGHT: Final = 720
_LIMITED: Final = 1
_FULL: Final = 2
_RESAMPLING: Final = (
    Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
)
_MAX_PIXEL_ASPECT: Final = 4.0


class FrameShape(NamedTuple):
    """How the stored frames of a video become upright pictures.

    Args:
        width: pixels after squaring, before turning.
        height: pixels before turning.
        is_transposed: rows and columns change places, before the flips.
        is_flipped_x: left and right change places.
        is_flipped_y: top and bottom change places.
        is_as_stored: nothing of this changes the picture.
    """

    width: int
    height: int
    is_transposed: bool
    is_flipped_x: bool
    is_flipped_y: bool
    is_as_stored: bool

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height of the pictures."""
        size = (self.width, self.height)
        return size[::-1] if self.is_transposed else size


def measure_shape(frame: VideoFrame, pixel_aspect: float) -> FrameShape:
    """Find size and display rotation of a video from its first frame.

    Args:
        frame: decoded.
        pixel_aspect: width of a stored pixel in heights; nonsense counts as 1.
    """
    is_sane = 1 / _MAX_PIXEL_ASPECT <= pixel_aspect <= _MAX_PIXEL_ASPECT
    width = round(frame.width * pixel_aspect) if is_sane else frame.width
    a, b, c, d = _read_display_matrix(frame)
    is_transposed = abs(b) + abs(c) > abs(a) + abs(d)
    along_x, along_y = (c, b) if is_transposed else (a, d)
    return FrameShape(
        width,
        frame.height,
        is_transposed=is_transposed,
        is_flipped_x=along_x < 0,
        is_flipped_y=along_y < 0,
        is_as_stored=not is_transposed and along_x >= 0 <= along_y and width == frame.width,
    )


def frame_to_picture(frame: VideoFrame, shape: FrameShape) -> NDArray[np.uint8]:
    """Convert one frame.

    Args:
        frame: decoded, any pixel format and depth.
        shape: of the video.

    Returns:
        (height, width, 3) uint8 sRGB of `shape.upright_size`. The transfer curve is kept: HDR
        (PQ, HLG) looks flat.
    """
    matrix, source_range, target_range = None, None, None
    if "yuv" in frame.format.name or frame.format.name.startswith(("nv", "p0")):
        matrix = _choose_matrix(frame)
        is_full = frame.color_range == _FULL or frame.format.name.startswith("yuvj")
        source_range = ColorRange.JPEG if is_full else ColorRange.MPEG
        target_range = ColorRange.JPEG
    converted = frame.reformat(
        width=shape.width,
        height=shape.height,
        format="rgb24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=source_range,
        dst_color_range=target_range,
        interpolation=_RESAMPLING,
    )
    pixels = converted.to_ndarray()
    if shape.is_transposed:
        pixels = pixels.transpose(1, 0, 2)
    if shape.is_flipped_x:
        pixels = pixels[:, ::-1]
    if shape.is_flipped_y:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def frame_to_grey(frame: VideoFrame, shape: FrameShape, side: int) -> NDArray[np.uint8]:
    """Convert one frame to a small grey picture with square pixels, not turned.

    Args:
        frame: decoded, any pixel format and depth.
        shape: of the video.
        side: pixels of the longer side; smaller pictures stay as they are.

    Returns:
        (h, w) uint8 grey levels, each the mean of what it covers.
    """
    scale = min(1.0, side / max(shape.width, shape.height))
    small = frame.reformat(
        width=max(1, round(shape.width * scale)),
        height=max(1, round(shape.height * scale)),
        format="gray",
        interpolation=Interpolation.AREA,
    )
    return small.to_ndarray()


def _choose_matrix(frame: VideoFrame) -> Colorspace:
    is_hd = frame.width >= _HD_WIDTH or frame.height >= _HD_HEIGHT
    untagged = Colorspace.ITU709 if is_hd else Colorspace.ITU601
    return _MATRIX_OF_CODE.get(int(frame.colorspace), untagged)


def _read_display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Return a, b, c, d of x' = a x + c y, y' = b x + d y, in 1/65536."""
    for data in frame.side_data:
        if data.type == Type.DISPLAYMATRIX:
            values = np.frombuffer(bytes(data), np.int32)
            a, b, _, c, d = (int(value) for value in values[:5])
            return a, b, c, d
    return 1, 0, 0, 1

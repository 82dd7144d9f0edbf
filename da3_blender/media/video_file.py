# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A video as a source of pictures: one pass, one frame in memory.

Runs in the engine.
"""

from __future__ import annotations

import logging
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
from av.error import FFmpegError, InvalidDataError
from av.stream import Disposition

from ..contract.views import SourceKind, View
from .frame_times import choose_video_frames
from .unusable import UnusableFile, check_file, check_size, describe_os_error, refuse_range
from .video_picture import FrameShape, frame_to_grey, frame_to_picture, measure_shape
from .video_timeline import Timeline, is_index_cut_off, read_timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from ..contract.settings import RunSettings

_LOG = logging.getLogger(__name__)

# A file must not make the reader open others or the network (playlists can).
_OPTIONS: Final = {"protocol_whitelist": "file"}
# Frames that do not decode are replaced by the next one that does, up to this many.
_MAX_LOST_FRAMES: Final = 3
# Key frames are found by decoding time, which is a little ahead of the time of showing.
_SEEK_MARGIN_FRAMES: Final = 16


def open_video(path: Path, settings: RunSettings, skipped: Sequence[str] = ()) -> VideoFile:
    """Open a video, decode its first frame and list the frames to use.

    Args:
        path: absolute.
        settings: `frame_start`, `frame_end`, `frame_step` and `target_fps` are used.
        skipped: sentences about other files.

    Raises:
        EngineError: INPUT_MISSING, INPUT_UNREADABLE, INPUT_TOO_SMALL, or INPUT_EMPTY if the
            frame range misses the video.
    """
    try:
        check_file(path)
        shape, first_tick = _read_first_frame(path)
        width, height = shape.upright_size
        check_size(width, height)
        file_bytes = path.stat().st_size
        with _open_stream(path) as (container, stream):
            timeline = read_timeline(container, stream, first_tick, file_bytes)
            is_cut_off, promised = is_index_cut_off(stream, file_bytes), stream.frames
    except UnusableFile as finding:
        raise finding.to_error(path) from finding
    count = len(timeline.times_s)
    if not count:
        raise UnusableFile(reason="it holds no complete frame").to_error(path)
    numbers = choose_video_frames(
        timeline.times_s,
        settings.frame_start,
        settings.frame_end,
        settings.frame_step,
        settings.target_fps,
    )
    if not numbers:
        raise refuse_range(path, (1, count), settings.frame_start, settings.frame_end)
    notes = list(skipped)
    if is_cut_off:
        notes.append(f"{path.name} is cut off: {count} of {promised} frames are there.")
    views = [
        View(
            name=f"{path.name}#{number:06d}",
            path=str(path),
            width=width,
            height=height,
            frame=number,
            needs_copy=not shape.is_as_stored,
        )
        for number in numbers
    ]
    return VideoFile(views, timeline, shape, notes)


class VideoFile:
    """A `PhotoSource` that decodes one video.

    Args:
        views: of one video, by rising frame number.
        timeline: of the video.
        shape: of its frames.
        skipped: sentences for the user.
    """

    def __init__(
        self,
        views: Sequence[View],
        timeline: Timeline,
        shape: FrameShape,
        skipped: Sequence[str] = (),
    ) -> None:
        self.kind = SourceKind.VIDEO
        self.views = tuple(views)
        self.fps: float | None = timeline.fps
        self.skipped = tuple(skipped)
        self._path = Path(views[0].path)
        self._timeline = timeline
        self._shape = shape

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode one view: seeks and decodes from the key frame before it.

        Args:
            index: of `views`.

        Returns:
            (height, width, 3) uint8 sRGB, upright.

        Raises:
            EngineError: INPUT_UNREADABLE or INPUT_MISSING with the path.
        """
        with closing(self._decode_views([self.views[index]])) as pictures:
            return next(pictures)

    def iterate(
        self,
        least_side: int = 0,  # noqa: ARG002 - frames decode at one size
        wanted: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Decode the video once, in order, from the first frame that is wanted to the last.

        Args:
            least_side: has no effect.
            wanted: indices of `views`, ascending; None for all.

        Returns:
            Pairs of index and (height, width, 3) uint8 sRGB, upright.

        Raises:
            EngineError: INPUT_UNREADABLE or INPUT_MISSING with the path.
        """
        chosen = range(len(self.views)) if wanted is None else wanted
        if len(chosen):
            pictures = self._decode_views([self.views[index] for index in chosen])
            yield from zip(chosen, pictures, strict=True)

    def iterate_grey(self, side: int) -> Iterator[NDArray[np.uint8]]:
        """Decode all views in order, small and grey, which takes much less time than `iterate`.

        Args:
            side: pixels of the longer side; smaller pictures stay as they are.

        Returns:
            (h, w) uint8 grey levels, not turned upright.

        Raises:
            EngineError: INPUT_UNREADABLE or INPUT_MISSING with the path.
        """
        return self._convert_views(
            self.views, lambda frame: frame_to_grey(frame, self._shape, side)
        )

    def _decode_views(self, views: Sequence[View]) -> Iterator[NDArray[np.uint8]]:
        return self._convert_views(views, lambda frame: frame_to_picture(frame, self._shape))

    def _convert_views(
        self, views: Sequence[View], convert: Callable[[VideoFrame], NDArray[np.uint8]]
    ) -> Iterator[NDArray[np.uint8]]:
        waiting = [view.frame - 1 for view in reversed(views) if view.frame is not None]
        latest: tuple[int, VideoFrame] | None = None
        try:
            for position, frame in self._decode_from(waiting[-1]):
                while waiting and waiting[-1] <= position:
                    self._check_lost(waiting[-1], position)
                    waiting.pop()
                    yield convert(frame)
                if not waiting:
                    return
                latest = position, frame
            while waiting:  # the stream ended early
                if latest is None:
                    self._check_lost(waiting[-1], None)
                else:
                    self._check_lost(waiting[-1], latest[0])
                    yield convert(latest[1])
                waiting.pop()
        except UnusableFile as finding:
            raise finding.to_error(self._path) from finding

    def _check_lost(self, wanted: int, found: int | None) -> None:
        if found == wanted:
            return
        number = wanted + 1
        if found is None or abs(found - wanted) > _MAX_LOST_FRAMES:
            raise UnusableFile(
                reason=f"its frame {number} does not decode; leave it out of the range"
            )
        _LOG.warning("Frame %d of %s is damaged; took frame %d", number, self._path, found + 1)

    def _decode_from(self, position: int) -> Iterator[tuple[int, VideoFrame]]:
        """Decode from a key frame at or before a position; from the start if seeking fails."""
        ticks = self._timeline.ticks
        if ticks is not None and position > _SEEK_MARGIN_FRAMES:
            frames = self._decode_stream(int(ticks[position - _SEEK_MARGIN_FRAMES]))
            first = next(frames, None)
            if first is not None and first[0] <= position:
                yield first
                yield from frames
                return
            frames.close()
        yield from self._decode_stream(None)

    def _decode_stream(self, tick: int | None) -> Iterator[tuple[int, VideoFrame]]:
        """Decode all frames after a seek to `tick`, with their positions, rising."""
        latest = -1
        with _open_stream(self._path) as (container, stream):
            if tick is not None:
                container.seek(tick, stream=stream)
            for count, frame in enumerate(_decode_packets(container, stream)):
                position = self._timeline.locate(frame.pts, count)
                if position > latest:
                    latest = position
                    yield position, frame


def _read_first_frame(path: Path) -> tuple[FrameShape, int | None]:
    with _open_stream(path) as (container, stream):
        frame = next(_decode_packets(container, stream), None)
        if frame is None:
            raise UnusableFile(reason="no frame of it can be decoded")
        aspect = stream.sample_aspect_ratio
        return measure_shape(frame, float(aspect) if aspect else 1.0), frame.pts


def _decode_packets(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except InvalidDataError as error:
            _LOG.info("A packet at %s does not decode: %s", packet.pts, error)
            continue
        yield from frames


@contextmanager
def _open_stream(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video and translate what the library raises, also in the body.

    Raises:
        UnusableFile: missing, forbidden, damaged, or without a picture track that we know.
    """
    try:
        with av.open(str(path), options=_OPTIONS) as container:
            streams = [
                stream
                for stream in container.streams.video
                if not stream.disposition & Disposition.attached_pic  # covers of songs
                and stream.codec_context is not None
            ]
            if not streams:
                raise UnusableFile(reason="it has no picture track, or one in an unknown format")
            best = container.streams.best("video")
            stream = best if best in streams else streams[0]
            stream.thread_type = "AUTO"
            yield container, stream
    except FFmpegError as error:
        if isinstance(error, (FileNotFoundError, PermissionError)):
            raise describe_os_error(error) from error
        raise UnusableFile(reason=f"it is no readable video ({error.strerror})") from error

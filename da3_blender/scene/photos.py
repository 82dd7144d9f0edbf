# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos, numbered sequences and videos behind cameras.

Runs in Blender.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import bpy
import numpy as np

from .animation import add_curves

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpy.types import ActionChannelbag, Camera, CameraBackgroundImage, Image, ImageUser
    from numpy.typing import NDArray

    from .reconstruction import PhotoView
    from .written import Written

_RECORDED: Final = "photo"
_LAST_NUMBER = re.compile(r"^(.*?)(\d+)(\D*)$")


def load_image(path: Path, source: str) -> Image:
    """Return an image data-block of this file and source; an existing one is used again.

    The pixels are read only when they are drawn. The path is relative where the .blend is saved.

    Args:
        path: absolute path.
        source: FILE, SEQUENCE or MOVIE; one file may be in use with several.
    """
    for image in bpy.data.images:
        if image.source == source and bpy.path.abspath(image.filepath) == str(path):
            return image
    image = bpy.data.images.load(str(path), check_existing=False)
    if image.source != source:
        image.source = source
    if bpy.data.filepath and path.drive == bpy.data.filepath[: len(path.drive)]:
        image.filepath = bpy.path.relpath(str(path))
    return image


def show_still(camera: Camera, view: PhotoView, record: Written) -> bool:
    """Put one photo, or one frame of a video, behind a camera; False if the file is gone."""
    if not view.photo.is_file():
        return False
    source = "MOVIE" if is_movie(view) else "FILE"
    background = _set_background(camera, load_image(view.photo, source), record)
    if background is not None and source == "MOVIE":
        # A duration of one holds the frame that the offset names, whatever the time line shows.
        user = background.image_user
        user.frame_start = 1
        user.frame_duration = 1
        user.frame_offset = (view.frame or 1) - 1
    return True


def count_moving(views: list[PhotoView], frames: NDArray[np.integer]) -> int:
    """Return how many frames `show_moving` can show; 0 if there is no way."""
    if is_movie(views[0]):
        return len(views) if views[0].photo.is_file() else 0
    return len(views) if _are_numbered(views, frames) else 0


def show_moving(
    camera: Camera,
    views: list[PhotoView],
    frames: NDArray[np.integer],
    record: Written,
    get_bag: Callable[[], ActionChannelbag],
) -> None:
    """Put a video or a numbered sequence behind an animated camera.

    Frame f of the time line shows frame f of the source. Where files between the frames that
    were used do not exist, the last one before is held.

    Args:
        camera: takes the picture.
        views: in the order of `frames`.
        frames: (N,) rising numbers on the time line.
        record: of the camera object.
        get_bag: makes the bag for keys where frames have to be held.
    """
    if not count_moving(views, frames):
        return
    background = _set_background(camera, load_moving(views[0]), record)
    if background is not None:
        follow_frames((background.image_user, background.image), frames, get_bag, holds=False)


def load_moving(view: PhotoView) -> Image:
    """Return the data-block of the video or numbered sequence that a view is of."""
    return load_image(view.photo, "MOVIE" if is_movie(view) else "SEQUENCE")


def follow_frames(
    picture: tuple[ImageUser, Image],
    frames: NDArray[np.integer],
    get_bag: Callable[[], ActionChannelbag],
    *,
    holds: bool,
) -> None:
    """Let a moving picture show frame f of its source at frame f of the time line.

    Args:
        picture: an image and who shows it.
        frames: (N,) rising numbers on the time line.
        get_bag: makes the bag for keys where frames have to be held.
        holds: only the pictures of `frames` are shown, each until the next one; else this is
            done only where the files between are missing.
    """
    first, last = int(frames[0]), int(frames[-1])
    user, image = picture
    if image.source == "MOVIE":
        user.frame_start = 1
        user.frame_duration = max(image.frame_duration, last)
        user.frame_offset = 0
    else:
        user.frame_start = first
        user.frame_offset = first - 1
        user.frame_duration = last - first + 1
        path = Path(bpy.path.abspath(image.filepath))
        holds = holds or not _has_all_files(path, first, last)
    if holds and len(frames) < last - first + 1:
        _hold_pictures(user, frames, get_bag())


def find_background(camera: Camera, record: Written) -> CameraBackgroundImage | None:
    """Return the picture of ours behind a camera, if the user has not taken it away."""
    name = record.read(_RECORDED)
    for background in camera.background_images:
        if background.image is not None and background.image.name_full == name:
            return background
    return None


def hide_photo(camera: Camera, record: Written) -> None:
    """Take our picture from behind a camera."""
    background = find_background(camera, record)
    if background is not None:
        camera.background_images.remove(background)
        record.note(_RECORDED, "")


def _hold_pictures(user: ImageUser, frames: NDArray[np.integer], bag: ActionChannelbag) -> None:
    """Key the offset at every frame, so that each picture stays until the next one exists.

    A range of one frame with a constant offset would be simpler, but behind cameras Blender
    shows nothing outside the range.
    """
    every = np.arange(frames[0], frames[-1] + 1)
    held = frames[np.searchsorted(frames, every, side="right") - 1]
    add_curves(
        bag,
        f"{user.path_from_id()}.frame_offset",
        every,
        held - every + user.frame_offset,
        "CONSTANT",
    )


def is_movie(view: PhotoView) -> bool:
    """Tell whether the photo of a view is a whole video."""
    return view.photo.suffix.lower() in bpy.path.extensions_movie


def _set_background(camera: Camera, image: Image, record: Written) -> CameraBackgroundImage | None:
    """Show an image in our background; None where the user has taken it away or changed it."""
    background = find_background(camera, record)
    if background is None:
        if record.read(_RECORDED):
            return None
        background = camera.background_images.new()
        background.alpha = 1.0
        background.display_depth = "BACK"  # points stay visible in front of the photo
        background.frame_method = "STRETCH"  # exactly the camera's frame, shift included
        camera.show_background_images = True
    background.image = image
    background.image_user.use_auto_refresh = True
    record.note(_RECORDED, image.name_full)
    return background


def _number_path(path: Path, number: int) -> Path | None:
    """Return the neighbour with another number, counted the way Blender does."""
    parts = _LAST_NUMBER.match(path.stem)
    if parts is None:
        return None
    head, digits, tail = parts.groups()
    return path.with_name(f"{head}{number:0{len(digits)}d}{tail}{path.suffix}")


def _are_numbered(views: list[PhotoView], frames: NDArray[np.integer]) -> bool:
    first = views[0].photo
    return all(
        _number_path(first, int(frame)) == view.photo and view.photo.is_file()
        for view, frame in zip(views, frames, strict=True)
    )


def _has_all_files(path: Path, first: int, last: int) -> bool:
    paths = (_number_path(path, number) for number in range(first, last + 1))
    return all(path is not None and path.is_file() for path in paths)

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the user chose to a list of picture files or one video.

Runs in the engine.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..contract.errors import EngineError, ErrorCode
from ..contract.formats import PHOTO_FORMATS_TEXT, is_photo_name, is_video_name
from .natural_order import natural_key
from .unusable import UnusableFile, describe_os_error, to_printable, wrong_format

if TYPE_CHECKING:
    from collections.abc import Iterable


class Listing(NamedTuple):
    """The files of one input.

    Args:
        photos: pictures in order; empty if the input is a video.
        video: the video, or None.
        skipped: one sentence per file that was left out.
        is_folder: the user chose a folder, not the files themselves.
    """

    photos: tuple[Path, ...]
    video: Path | None
    skipped: tuple[str, ...]
    is_folder: bool


def list_inputs(inputs: Iterable[str], input_kind: str) -> Listing:
    """Find the pictures or the video that the user chose; opens no file.

    Args:
        inputs: one folder, one video, or the files themselves.
        input_kind: one of `settings.INPUT_KINDS`; VIDEO prefers the video of a mixed folder.

    Raises:
        EngineError: INPUT_MISSING, INPUT_EMPTY, INPUT_UNREADABLE, or INPUT_MISMATCH for
            several videos or a mixture.
    """
    texts = [text for text in inputs if text.strip() and "\0" not in text]
    paths = _drop_repeated(Path(os.path.abspath(text)) for text in texts)  # noqa: PTH100 - keeps links
    if not paths:
        raise EngineError(
            ErrorCode.INPUT_MISSING,
            "No input was chosen.",
            "Choose a folder of photos, photo files or a video.",
        )
    if len(paths) == 1 and os.path.isdir(paths[0]):  # noqa: PTH112 - never raises
        return _list_folder(paths[0], input_kind)
    return _list_files(paths, input_kind)


def list_photos(folder: Path) -> list[Path]:
    """List the pictures of one folder in natural order, without hidden files.

    Raises:
        EngineError: INPUT_UNREADABLE or INPUT_MISSING.
    """
    return sorted((p for p in _list_visible(folder) if is_photo_name(p)), key=natural_key)


def _list_visible(folder: Path) -> list[Path]:
    try:
        # is_file follows links; a leading dot hides files and marks macOS' "._" companions.
        return [p for p in folder.iterdir() if not p.name.startswith(".") and p.is_file()]
    except OSError as error:
        raise describe_os_error(error).to_error(folder) from error


def _list_folder(folder: Path, input_kind: str) -> Listing:
    photos = list_photos(folder)
    videos = sorted((p for p in _list_visible(folder) if is_video_name(p)), key=natural_key)
    if not photos and len(videos) != 1:
        inner = [p for p in folder.iterdir() if p.name.casefold() == "images" and p.is_dir()]
        photos = list_photos(inner[0]) if len(inner) == 1 else []
    if input_kind == "VIDEO" or (not photos and videos and input_kind == "AUTO"):
        return Listing((), _pick_video(folder, videos), (), is_folder=True)
    if not photos:
        raise EngineError(
            ErrorCode.INPUT_EMPTY,
            f"The folder {to_printable(folder)} holds no pictures.",
            f"Choose a folder with {PHOTO_FORMATS_TEXT} files, or a video.",
        )
    left = tuple(UnusableFile(reason="it is a video among photos").to_sentence(p) for p in videos)
    return Listing(tuple(photos), None, left, is_folder=True)


def _pick_video(folder: Path, videos: list[Path]) -> Path:
    if len(videos) == 1:
        return videos[0]
    if not videos:
        raise EngineError(
            ErrorCode.INPUT_EMPTY,
            f"The folder {to_printable(folder)} holds no video.",
            "Choose a video file, or set Input Is to Photos.",
        )
    raise EngineError(
        ErrorCode.INPUT_MISMATCH,
        f"The folder {to_printable(folder)} holds {len(videos)} videos.",
        "Choose one video file.",
    )


def _list_files(paths: list[Path], input_kind: str) -> Listing:
    photos: list[Path] = []
    videos: list[Path] = []
    refused: list[tuple[Path, UnusableFile]] = []
    for path in paths:
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except OSError as error:
            refused.append((path, describe_os_error(error)))
            continue
        if is_folder:
            photos.extend(list_photos(path))
        elif is_photo_name(path):
            photos.append(path)
        elif is_video_name(path):
            videos.append(path)
        else:
            refused.append((path, wrong_format(path.suffix)))
    if not photos and not videos:
        if refused:
            raise refused[0][1].to_error(refused[0][0])
        raise EngineError(
            ErrorCode.INPUT_EMPTY,
            f"The {len(paths)} chosen folders hold no pictures.",
            f"Choose folders with {PHOTO_FORMATS_TEXT} files.",
        )
    _check_mixture(photos, videos, input_kind)
    skipped = tuple(why.to_sentence(path) for path, why in refused)
    if videos:
        return Listing((), videos[0], skipped, is_folder=False)
    return Listing(tuple(_drop_repeated(photos)), None, skipped, is_folder=False)


def _check_mixture(photos: list[Path], videos: list[Path], input_kind: str) -> None:
    if len(videos) + bool(photos) > 1:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"The input mixes {len(videos)} videos and {len(photos)} pictures.",
            "Choose one video, or pictures only.",
        )
    if videos and input_kind in ("PHOTOS", "SEQUENCE"):
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"{to_printable(videos[0])} is a video, but Input Is says {input_kind.title()}.",
            "Set Input Is to Automatic or Video.",
        )
    if photos and input_kind == "VIDEO":
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"{to_printable(photos[0])} is a picture, but Input Is says Video.",
            "Set Input Is to Automatic, or choose a video.",
        )


def _drop_repeated(paths: Iterable[Path]) -> list[Path]:
    unique: dict[str, Path] = {}
    for path in paths:
        unique.setdefault(os.path.realpath(path), path)
    return list(unique.values())

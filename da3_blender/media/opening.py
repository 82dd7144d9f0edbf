# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens the input of a run: decides what it is, lists its views, leaves pixels for later.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract.views import PhotoSource, SourceKind, View
from .frame_numbers import choose_numbers, gather_sequence, is_regular_sequence, number_frames
from .listing import Listing, list_inputs
from .natural_order import name_uniquely
from .photo_facts import PhotoFacts, read_photo_facts
from .photo_files import PhotoFiles
from .unusable import UnusableFile, refuse_all, refuse_range
from .video_file import open_video

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..contract.settings import RunSettings


def open_source(settings: RunSettings) -> PhotoSource:
    """Open what the user chose; only names and headers are read.

    A file that cannot be used is left out with a sentence in `skipped`; it is an error only
    if nothing remains. The frame settings act on sequences and videos, not on photos.

    Args:
        settings: `inputs`, `input_kind`, `frame_start`, `frame_end`, `frame_step` and
            `target_fps` are used.

    Returns:
        The source, with at least one view and at most one per file or frame; photos of a folder
        in natural order, listed ones in the order given, frames by number.

    Raises:
        EngineError: INPUT_MISSING, INPUT_EMPTY, INPUT_UNREADABLE, INPUT_TOO_SMALL; for a
            sequence without numbers, several videos or a mixture INPUT_MISMATCH.
    """
    listing = list_inputs(settings.inputs, settings.input_kind)
    if listing.video is not None:
        return open_video(listing.video, settings, listing.skipped)
    paths: Sequence[Path] = listing.photos
    numbers: Mapping[Path, int] = {}
    if settings.input_kind == "SEQUENCE":
        numbers = _choose_frames(_find_sequence(listing), settings)
        paths = list(numbers)
    facts, broken = _read_all(paths)
    if not facts:
        raise refuse_all(broken)
    if settings.input_kind == "AUTO" and is_regular_sequence(paths) and _are_frames(facts):
        numbers = _choose_frames(number_frames(paths), settings)
        paths = list(numbers)
    return PhotoFiles(
        SourceKind.SEQUENCE if numbers else SourceKind.PHOTOS,
        _make_views([path for path in paths if path in facts], facts, numbers),
        linear=[str(path) for path in paths if path in facts and facts[path].is_linear],
        skipped=(
            *listing.skipped,
            *(broken[path].to_sentence(path) for path in paths if path in broken),
        ),
    )


def _find_sequence(listing: Listing) -> dict[Path, int]:
    if len(listing.photos) == 1 and not listing.is_folder:
        return number_frames(gather_sequence(listing.photos[0]))
    return number_frames(listing.photos)


def _choose_frames(numbers: Mapping[Path, int], settings: RunSettings) -> dict[Path, int]:
    chosen = set(
        choose_numbers(
            list(numbers.values()), settings.frame_start, settings.frame_end, settings.frame_step
        )
    )
    if not chosen:
        existing = min(numbers.values()), max(numbers.values())
        folder = next(iter(numbers)).parent
        raise refuse_range(folder, existing, settings.frame_start, settings.frame_end)
    return {path: number for path, number in numbers.items() if number in chosen}


def _read_all(
    paths: Sequence[Path],
) -> tuple[dict[Path, PhotoFacts], dict[Path, UnusableFile]]:
    facts: dict[Path, PhotoFacts] = {}
    broken: dict[Path, UnusableFile] = {}
    for path in paths:
        try:
            facts[path] = read_photo_facts(path)
        except UnusableFile as finding:
            broken[path] = finding
    return facts, broken


def _are_frames(facts: Mapping[Path, PhotoFacts]) -> bool:
    """Tell whether pictures are of one size and none was taken by a still camera."""
    sizes = {(fact.width, fact.height) for fact in facts.values()}
    return len(sizes) == 1 and not any(fact.has_camera for fact in facts.values())


def _make_views(
    paths: Sequence[Path], facts: Mapping[Path, PhotoFacts], numbers: Mapping[Path, int]
) -> list[View]:
    return [
        View(
            name=name,
            path=str(path),
            width=facts[path].width,
            height=facts[path].height,
            frame=numbers.get(path),
            focal_prior_px=facts[path].focal_prior_px,
            camera_label=facts[path].camera_label,
            needs_copy=facts[path].needs_copy,
        )
        for path, name in zip(paths, name_uniquely(paths), strict=True)
    ]

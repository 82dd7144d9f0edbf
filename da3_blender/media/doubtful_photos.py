# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds photos that look blurred, that are there twice, or that come from another lens.

Runs in the engine. Photos are judged by the others of their set, so a soft lens or a plain wall
in all of them is nothing to complain about.
"""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..contract.views import PhotoSource, View

BLURRED: Final = "blurred"
DOUBLED: Final = "doubled"
LENS: Final = "lens"

_SIDE: Final = 1024  # pixels of the longer side at which sharpness is judged
_THUMBNAIL: Final = 32
# A photo is blurred where its strongest edges are this much wider than is usual in the set, and
# where it has less detail, too: a photo of a plain wall has few edges, but sharp ones.
_WIDE_EDGES: Final = 1.8
_WEAK_DETAIL: Final = 0.6
_BLOCK: Final = 12  # pixels; wider edges count as this wide
_STRONG_PERCENTILE: Final = 90
_FEWEST_FOR_USUAL: Final = 4
# Two thumbnails of the same picture, saved twice: this alike, and no more grey levels apart.
_SAME_CORRELATION: Final = 0.998
_SAME_LEVELS: Final = 3.0
_SAME_FOCAL: Final = 0.06  # relative; zooms write rounded numbers
_MAJORITY: Final = 0.6


class Finding(NamedTuple):
    """One doubtful photo.

    name: of the view; kind: BLURRED, DOUBLED or LENS; text: for people, without the name.
    """

    name: str
    kind: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a message."""
        return self._asdict()


class _Look(NamedTuple):
    """What is remembered of one photo: detail, width of edges in pixels, a grey thumbnail."""

    detail: float
    edge_px: float
    thumbnail: NDArray[np.float32]


def find_doubtful_photos(
    source: PhotoSource,
    tell: Callable[[int, int], object],
) -> list[Finding]:
    """Look at every photo of a set once, at reduced size.

    Args:
        source: photos or a sequence.
        tell: called with the photos done and all photos, after each one; may raise to stop.

    Returns:
        The findings, in the order of the set; a photo may have several.

    Raises:
        EngineError: INPUT_UNREADABLE; a photo cannot be decoded.
    """
    count = len(source.views)
    looks: list[_Look] = []
    for index, image in source.iterate(_SIDE):
        looks.append(_look(image))
        tell(index + 1, count)
    found = [*find_blurred(source.views, looks), *find_doubled(source.views, looks)]
    found += find_other_lenses(source.views)
    place = {view.name: index for index, view in enumerate(source.views)}
    return sorted(found, key=lambda finding: place[finding.name])


def _look(image: NDArray[np.uint8]) -> _Look:
    picture = Image.fromarray(image).convert("L")
    scale = _SIDE / max(picture.size)
    if scale < 1:
        size = (max(8, round(picture.width * scale)), max(8, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.BOX)
    grey = np.asarray(picture, np.float32)
    thumbnail = picture.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
    return _Look(measure_detail(grey), measure_edges(grey), np.asarray(thumbnail, np.float32))


def measure_detail(grey: NDArray[np.float32]) -> float:
    """Return the variance of the Laplacian of (H, W) grey levels: much where edges are sharp."""
    laplacian = (
        grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    )
    return float(laplacian.var())


def measure_edges(grey: NDArray[np.float32]) -> float:
    """Return the typical width of the strongest edges of (H, W) grey levels, in pixels.

    In small blocks, the range of levels over the steepest step between neighbours: 1 for an
    edge from pixel to pixel, the width of the ramp for a soft one. Blocks without a strong edge
    do not count, so neither noise nor the content of the photo matters much.
    """
    rows, columns = (size // _BLOCK for size in grey.shape)
    if rows < 1 or columns < 1:
        return 1.0
    kept = grey[: rows * _BLOCK, : columns * _BLOCK]
    blocks = kept.reshape(rows, _BLOCK, columns, _BLOCK)
    reach = np.ptp(blocks, axis=(1, 3))
    step = np.maximum(
        np.abs(np.diff(blocks, axis=1)).max(axis=(1, 3)),
        np.abs(np.diff(blocks, axis=3)).max(axis=(1, 3)),
    )
    strong = reach >= np.percentile(reach, _STRONG_PERCENTILE)
    return float(np.median(reach[strong] / np.maximum(step[strong], 1.0)))


def find_blurred(views: Sequence[View], looks: Sequence[_Look]) -> list[Finding]:
    """Find photos whose edges are much wider than is usual in their set."""
    if len(looks) < _FEWEST_FOR_USUAL:
        return []
    usual = statistics.median(look.detail for look in looks)
    width = statistics.median(look.edge_px for look in looks)
    return [
        Finding(
            view.name,
            BLURRED,
            f"looks blurred: its edges are {look.edge_px / width:.1f} times as wide as usual",
        )
        for view, look in zip(views, looks, strict=True)
        if look.edge_px > _WIDE_EDGES * width and look.detail < _WEAK_DETAIL * usual
    ]


def find_doubled(views: Sequence[View], looks: Sequence[_Look]) -> list[Finding]:
    """Find photos that show the very same picture as an earlier one."""
    if not looks:
        return []
    pictures = np.stack([look.thumbnail.ravel() for look in looks])
    centred = pictures - pictures.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1)
    unit = centred / np.maximum(length, 1e-6)[:, None]
    found = []
    for index in range(1, len(looks)):
        alike = unit[:index] @ unit[index]
        apart = np.abs(pictures[:index] - pictures[index]).mean(axis=1)
        same = np.flatnonzero((alike > _SAME_CORRELATION) & (apart < _SAME_LEVELS))
        if len(same):
            text = f"is the same picture as {views[int(same[0])].name}"
            found.append(Finding(views[index].name, DOUBLED, text))
    return found


def find_other_lenses(views: Sequence[View]) -> list[Finding]:
    """Find photos of another camera, zoom or size than most of the set."""
    sides = [tuple(sorted((view.width, view.height))) for view in views]
    labels = [view.camera_label for view in views]
    fields = [
        None if view.focal_prior_px is None else view.focal_prior_px / max(view.width, view.height)
        for view in views
    ]
    most = len(views) * _MAJORITY
    usual_side, side_count = Counter(sides).most_common(1)[0]
    usual_label, label_count = Counter(labels).most_common(1)[0]
    known = [field for field in fields if field is not None]
    usual_field = statistics.median(known) if len(known) >= _FEWEST_FOR_USUAL else None
    if usual_field is not None:
        alike = sum(abs(field / usual_field - 1) <= _SAME_FOCAL for field in known)
        usual_field = usual_field if alike >= len(known) * _MAJORITY else None
    found = []
    for view, side, label, field in zip(views, sides, labels, fields, strict=True):
        if label and usual_label and label != usual_label and label_count >= most:
            text = f"was taken with another camera: {label}"
        elif field and usual_field and abs(field / usual_field - 1) > _SAME_FOCAL:
            text = f"has another zoom: {field / usual_field:.2g} times the usual focal length"
        elif side != usual_side and side_count >= most:
            text = f"has another size: {view.width} x {view.height}"
        else:
            continue
        found.append(Finding(view.name, LENS, text))
    return found


def describe_findings(findings: Sequence[Finding]) -> list[str]:
    """Return one sentence for each kind of finding, for the notes of a run."""
    words = {
        BLURRED: "look blurred",
        DOUBLED: "are there twice",
        LENS: "come from another lens or camera",
    }
    sentences = []
    for kind, word in words.items():
        names = [finding.name for finding in findings if finding.kind == kind]
        if names:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")
            sentences.append(f"{len(names)} photos {word}: {shown}.")
    return sentences

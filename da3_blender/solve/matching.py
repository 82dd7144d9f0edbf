# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Matches between photos.

Runs in COLMAP's child process of the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pycolmap

from .turning import count_turning, normalize_homography

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_OVERLAP: Final = 10  # neighbours of a frame, doubled in distance each time
# Of a pair that is known to overlap; COLMAP asks for 15 of photos that it knows nothing about.
_FEWEST_INLIERS_KNOWN: Final = 9
# Pairs that a homography explains: a flat scene, or a camera that only turned.
_HOMOGRAPHIC: Final = frozenset(
    int(kind.value)
    for kind in (
        pycolmap.TwoViewGeometryConfiguration.PLANAR,
        pycolmap.TwoViewGeometryConfiguration.PANORAMIC,
        pycolmap.TwoViewGeometryConfiguration.PLANAR_OR_PANORAMIC,
    )
)


def match_photos(
    path: Path,
    *,
    is_sequential: bool,
    seed: int,
    tell: Callable[[int, int], object],
    pairs: Path | None = None,
) -> dict[str, int]:
    """Match features between photos and keep the matches that a moving camera explains.

    Args:
        path: of the database.
        is_sequential: compare neighbours in order; otherwise every pair.
        seed: of the random samples, >= 0.
        tell: called once at the start with (0, pairs in all): the native call itself tells
            nothing, the parent counts what is in the database.
        pairs: file with the names of the pairs to compare, one a line; then weak pairs are
            kept, too, because it is known that the photos overlap.

    Returns:
        Numbers of pairs: `pairs` compared, `verified` with enough common points, `turned` of
        those explained by a camera that only turned; and `best`, the common points of the best
        pair.
    """
    matching = pycolmap.FeatureMatchingOptions()
    matching.use_gpu = False
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = seed
    sequential = pycolmap.SequentialPairingOptions()
    sequential.overlap = _OVERLAP
    sequential.quadratic_overlap = True
    sequential.loop_detection = False
    if pairs is not None:
        verification.min_num_inliers = _FEWEST_INLIERS_KNOWN
        total = len(pairs.read_text(encoding="ascii").splitlines())
    else:
        total = _count_pairs(path, sequential if is_sequential else None)
    tell(0, total)
    if pairs is not None:
        pairing = pycolmap.ImportedPairingOptions()
        pairing.match_list_path = pairs
        pycolmap.match_image_pairs(
            path, matching, pairing, verification, device=pycolmap.Device.cpu
        )
    elif is_sequential:
        pycolmap.match_sequential(
            path, matching, sequential, verification, device=pycolmap.Device.cpu
        )
    else:
        pycolmap.match_exhaustive(
            path,
            matching,
            verification_options=verification,
            device=pycolmap.Device.cpu,
        )
    return {"pairs": total, **_summarize(path)}


def _count_pairs(path: Path, sequential: pycolmap.SequentialPairingOptions | None) -> int:
    database = pycolmap.Database.open(path)
    try:
        if sequential is None:
            count = database.num_images()
            return count * (count - 1) // 2
        pairs = pycolmap.SequentialPairGenerator(sequential, database).all_pairs()
        return len({tuple(sorted(pair)) for pair in pairs})
    finally:
        database.close()


def _summarize(path: Path) -> dict[str, int]:
    database = pycolmap.Database.open(path)
    try:
        pairs, geometries = database.read_two_view_geometries()
        cameras = {camera.camera_id: camera for camera in database.read_all_cameras()}
        images = {image.image_id: cameras[image.camera_id] for image in database.read_all_images()}
    finally:
        database.close()
    homographies = []
    for pair, geometry in zip(pairs, geometries, strict=True):
        if int(geometry.config) in _HOMOGRAPHIC and geometry.H is not None:
            first, second = (images[number] for number in pycolmap.pair_id_to_image_pair(pair))
            sizes = (first.width, first.height), (second.width, second.height)
            homographies.append(normalize_homography(geometry.H, *sizes))
    counts = [len(geometry.inlier_matches) for geometry in geometries]
    return {
        "verified": sum(count > 0 for count in counts),
        "turned": count_turning(np.array(homographies).reshape(-1, 3, 3)),
        "best": max(counts, default=0),
    }

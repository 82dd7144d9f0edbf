# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A result that exists is used again: its cloud is made anew, or some of its views are.

Runs in the engine.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..contract.formats import is_video_name
from ..contract.lens import Lens
from ..contract.names import LOG_FILE, MANIFEST
from ..contract.result_folder import Result, translate_disk_errors
from ..contract.settings import RunSettings
from ..media import open_source, read_picture
from ..splats.result_arrays import load_splats
from .cloud_again import fuse_again
from .outcome import Dense, Outcome, TrackCloud
from .points import Cloud, make_cloud, make_empty_cloud, thin_cloud

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..contract.progress import Progress
    from ..contract.views import PhotoSource

# Settings that a result takes from the new run; all others are those it was made with.
RENEWED: Final = ("drop_percent", "edge_step", "max_points", "least_views")
# Settings of a refinement that a result takes from the new run.
REFINING: Final = (
    "refine",
    "refine_focal",
    "refine_distortion",
    "refine_principal_point",
    "refine_features",
    "lens_model",
    "masks",
    "masks_inverted",
    "seed",
)
_NEEDS_SET: Final = (".exr",)  # one exposure for all of a set
# JPEGs are decoded at no less than this multiple of the grid, as in a run.
_SPARE_PIXELS: Final = 2


class Earlier:
    """A result from disk, its depth maps in memory, and its pictures.

    Args:
        result: from `load_result`.

    Raises:
        EngineError: RESULT_BROKEN.
    """

    def __init__(self, result: Result) -> None:
        self.result = result
        self.names = [str(view["name"]) for view in result.views]
        self._source: PhotoSource | None = None
        self._place: dict[str, int] = {}

    def load_outcome(self) -> Outcome:
        """Return cameras, depth and cloud as they are."""
        result = self.result
        dense = None
        if result.has("depth"):
            sky = np.array(result.load("sky")) if result.has("sky") else None
            dense = Dense(
                np.array(result.load("depth")),
                np.array(result.load("depth_confidence")),
                np.array(result.load("grid_from_photo")),
                sky,
                np.array(result.load("depth_view")) if result.has("depth_view") else None,
            )
        cloud = make_empty_cloud()
        if result.has("points"):
            arrays = ("points", "colours", "confidence", "point_view")
            cloud = make_cloud(*(np.array(result.load(name)) for name in arrays))
            if result.has("point_view_count") and result.has("point_moving"):
                votes = (np.array(result.load(f"point_{n}")) for n in ("view_count", "moving"))
                cloud = Cloud(*cloud[:4], *votes)
        return Outcome(
            indices=list(range(len(self.names))),
            w2c=np.array(result.load("w2c")),
            K=np.array(result.load("K")),
            cloud=cloud,
            lenses=tuple(Lens.from_json(lens) for lens in result.manifest.get("lenses", ())),
            lens_of_camera=[int(view.get("lens", -1)) for view in result.views],
            residual_px=[view.get("residual_px") for view in result.views],
            dense=dense,
            splats=load_splats(result),
            is_metric=bool(result.manifest.get("is_metric")),
            photos=[str(view["photo"]) for view in result.views],
            solver=str(result.manifest.get("solver") or ""),
            tracks=_load_tracks(result),
            refinement=result.manifest.get("refinement"),
        )

    def find_views(self, names: Sequence[str]) -> list[int]:
        """Return the positions of views, rising.

        Raises:
            EngineError: SETTINGS_INVALID; the result has no such view.
        """
        unknown = sorted(set(names) - set(self.names))
        if unknown:
            raise EngineError(
                ErrorCode.SETTINGS_INVALID,
                f"The result has no view {unknown[0]}.",
                "Select cameras of this reconstruction.",
            )
        return sorted(self.names.index(name) for name in set(names))

    def read_photo(self, position: int, least_side: int = 0) -> NDArray[np.uint8]:
        """Decode the pinhole picture of a view.

        Args:
            position: of the view.
            least_side: a JPEG may come smaller, as in `PhotoSource.iterate`.

        Returns:
            (height, width, 3) uint8 sRGB.

        Raises:
            EngineError: INPUT_MISSING or INPUT_UNREADABLE, with the path.
        """
        view = self.result.views[position]
        path = self.result.photo_path(view)
        if path.suffix.lower() not in _NEEDS_SET and not is_video_name(path):
            return read_picture(path, least_side)
        if self._source is None:
            # The input is opened as it was in the run that made the result.
            self._source = open_source(self.load_settings())
            self._place = {v.name: index for index, v in enumerate(self._source.views)}
        index = self._place.get(str(view["name"]))
        if index is None:
            raise EngineError(
                ErrorCode.INPUT_MISSING,
                f"The frame {view['name']} is no longer in the input.",
                "Put the input back where it was, or run Reconstruct again.",
            )
        return self._source.read(index)

    def load_settings(self) -> RunSettings:
        """Return the settings of the run that made the result.

        Raises:
            EngineError: SETTINGS_INVALID; they are those of another version.
        """
        return RunSettings.from_json(self.result.manifest.get("settings") or {})


def _load_tracks(result: Result) -> TrackCloud | None:
    if not result.has("track_points"):
        return None
    names = ("track_points", "track_colours", "track_error_px")
    names += ("observation_view", "observation_track", "observation_px")
    return TrackCloud(*(np.array(result.load(name)) for name in names))


def find_in_source(earlier: Earlier, source: PhotoSource) -> list[int]:
    """Return which views of a source those of a result are.

    Raises:
        EngineError: INPUT_MISSING; a picture of the result is no longer there.
    """
    place = {view.name: index for index, view in enumerate(source.views)}
    gone = [name for name in earlier.names if name not in place]
    if gone:
        raise EngineError(
            ErrorCode.INPUT_MISSING,
            f"{len(gone)} pictures of the result are no longer in the input, {gone[0]} for one.",
            "Put the input back where it was, or run Reconstruct again.",
        )
    return [place[name] for name in earlier.names]


def rebuild_cloud(
    earlier: Earlier, outcome: Outcome, settings: RunSettings, progress: Progress
) -> Outcome:
    """Make the cloud again from the depth maps; without any, thin the sparse cloud.

    Args:
        earlier: gives the colours.
        outcome: from `load_outcome`, perhaps with new depth.
        settings: RENEWED are read.
        progress: within its stage.
    """
    if outcome.dense is None:
        return outcome.replace(cloud=thin_cloud(outcome.cloud, settings.max_points))
    side = _SPARE_PIXELS * max(outcome.dense.depth.shape[1:])
    positions = outcome.dense.list_cameras().tolist()
    photos = (earlier.read_photo(position, side) for position in positions)
    widths = [int(earlier.result.views[position]["width"]) for position in positions]
    return fuse_again(outcome, photos, widths, settings, progress)


def drop_splats(
    earlier: Earlier, outcome: Outcome, settings: RunSettings, progress: Progress
) -> Outcome:
    """Leave out the splats of views that were run again: their cameras and depth are others now."""
    splats = outcome.splats
    if splats is None or splats.views is None:
        return outcome
    chosen = earlier.find_views(settings.only_views)
    left = splats.take(~np.isin(splats.views, chosen))
    if left.count < splats.count:
        progress.note(
            f"{splats.count - left.count:,} splats of the views that were run again are gone; "
            "Reconstruct makes new ones."
        )
    return outcome.replace(splats=left if left.count else None)


def carry_files(result: Result, work: Path) -> None:
    """Put the photos and COLMAP's model of a result into the work folder of its successor.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    arrays = {entry["file"] for entry in result.manifest["arrays"].values()}
    left = arrays | {MANIFEST, LOG_FILE}
    with translate_disk_errors(work):
        for path in sorted(result.folder.iterdir()):
            if path.name in left:
                continue
            if path.is_dir():
                shutil.copytree(path, work / path.name, copy_function=_link_or_copy)
            else:
                _link_or_copy(str(path), str(work / path.name))


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without links
        shutil.copy2(source, target)
    return target


def describe_result(
    earlier: Earlier, outcome: Outcome, settings: RunSettings, doubt: list[str], notes: list[str]
) -> dict[str, Any]:
    """Return the manifest of the successor: that of the result, with what is new."""
    old = earlier.result.manifest
    views = [
        {**view, "doubt": why, "residual_px": residual}
        for view, why, residual in zip(old["views"], doubt, outcome.residual_px, strict=True)
    ]
    made_with = {**(old.get("settings") or {})}
    made_with |= {name: getattr(settings, name) for name in RENEWED}
    again = [*old.get("again", [])]
    if settings.only_views:
        again.append({"views": list(settings.only_views), "model": settings.model})
    kept = {key: value for key, value in old.items() if key != "arrays"}
    return kept | {"views": views, "settings": made_with, "notes": notes, "again": again}

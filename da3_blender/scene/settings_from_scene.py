# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From `scene.da3` and the preferences to the settings of one run and of one build.

Runs in Blender.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import bpy

from ..contract import names
from ..contract.errors import EngineError, ErrorCode
from ..contract.models import Capability, check_licence, get_model
from ..contract.result_folder import find_free_folder
from ..contract.settings import RunSettings
from .build_options import BuildOptions
from .lookup import RESULTS_FOLDER

if TYPE_CHECKING:
    from bpy.types import Scene

    from ..contract.result_folder import Result

_LONGEST_NAME: Final = 60
_DECIMALS: Final = 6
_FILTERS: Final = ("drop_percent", "edge_step", "max_points", "least_views")
_SAME_FILTER: Final = 1e-6
# Characters that Windows does not allow in names of files.
_FORBIDDEN: Final = '<>:"/\\|?*'
_COPIED: Final = (
    "input_kind",
    "frame_step",
    "target_fps",
    "keyframes",
    "keyframe_count",
    "keyframe_motion",
    "pose_between",
    "cameras",
    "model",
    "process_resolution",
    "resize_method",
    "reference_view",
    "use_ray_pose",
    "measure_scale",
    "matching",
    "shared_lens",
    "lens_model",
    "use_focal_prior",
    "max_features",
    "max_photo_side",
    "world_up",
    "square_pixels",
    "drop_percent",
    "edge_step",
    "max_points",
    "least_views",
    "chunk_frames",
    "chunk_method",
    "refine_focal",
    "refine_distortion",
    "refine_principal_point",
    "refine_features",
)


class MachineSettings(Protocol):
    """The part of the add-on's preferences that decides a run."""

    checkpoint: str
    allow_downloads: bool
    commercial_only: bool
    device: str
    precision: str
    compile_network: bool


def make_run_settings(scene: Scene, preferences: MachineSettings, user_folder: Path) -> RunSettings:
    """Gather the settings of one run; the results folder is a new one each time.

    Args:
        scene: its `da3` holds the choices.
        preferences: of the add-on.
        user_folder: the extension's own folder, for results of files that were never saved.

    Raises:
        EngineError: SETTINGS_INVALID; a choice cannot work, or the model's licence forbids
            what the preferences ask for.
    """
    chosen = getattr(scene, names.SCENE_SETTINGS)
    inputs = list_inputs(scene)
    checkpoint = chosen.checkpoint or preferences.checkpoint
    settings = RunSettings(
        inputs=inputs,
        output=str(choose_output(scene, user_folder)) if inputs else "",
        frame_start=chosen.frame_start if chosen.use_frame_range else None,
        frame_end=chosen.frame_end if chosen.use_frame_range else None,
        checkpoint=bpy.path.abspath(checkpoint) if checkpoint else "",
        # A licence with limits has to be shown first: Download Model does that.
        may_download=preferences.allow_downloads
        and bpy.app.online_access
        and get_model(chosen.model).is_commercial_use_allowed,
        device=preferences.device,
        precision=preferences.precision,
        compile_network=preferences.compile_network,
        check_photos=not chosen.is_checked,  # else the panel has shown what was found
        make_splats=chosen.make_splats and get_model(chosen.model).can(Capability.GAUSSIANS),
        max_splats=chosen.max_splats,
        masks=bpy.path.abspath(chosen.masks) if chosen.masks else "",
        masks_inverted=chosen.masks_inverted,
        known_cameras=bpy.path.abspath(chosen.known_cameras) if chosen.known_cameras else "",
        refine=chosen.refine,
        **{name: getattr(chosen, name) for name in _COPIED},
    )
    if not inputs:
        raise EngineError(
            ErrorCode.INPUT_MISSING,
            "There is no input.",
            "Choose a folder of photos, photo files or a video.",
        )
    check_licence(settings.model, commercial_only=preferences.commercial_only)
    settings.check()
    return settings


def make_reuse_settings(
    scene: Scene,
    preferences: MachineSettings,
    result: Result,
    *,
    only_views: tuple[str, ...] = (),
    renew_cameras: bool = False,
    refine: bool = False,
) -> RunSettings:
    """Gather the settings of a run that uses a result again, in its own place.

    Args:
        scene: its `da3` holds the choices.
        preferences: of the add-on.
        result: what is used again.
        only_views: names of the views for which the network runs; none makes a new cloud.
        renew_cameras: also place these cameras again.
        refine: refine the cameras of the result, with the masks of the scene.

    Raises:
        EngineError: SETTINGS_INVALID.
    """
    chosen = getattr(scene, names.SCENE_SETTINGS)
    folder = str(result.folder)
    inputs = _read_old(result).get("inputs") or [folder]
    checkpoint = chosen.checkpoint or preferences.checkpoint
    settings = RunSettings(
        inputs=tuple(str(path) for path in inputs),
        output=folder,
        reuse=folder,
        only_views=only_views,
        renew_cameras=renew_cameras,
        refine=refine,
        masks=bpy.path.abspath(chosen.masks) if refine and chosen.masks else "",
        masks_inverted=chosen.masks_inverted,
        checkpoint=bpy.path.abspath(checkpoint) if checkpoint else "",
        may_download=False,
        device=preferences.device,
        precision=preferences.precision,
        compile_network=preferences.compile_network,
        **{name: getattr(chosen, name) for name in _COPIED},
    )
    if only_views:
        check_licence(settings.model, commercial_only=preferences.commercial_only)
    settings.check()
    return settings


def has_new_filters(scene: Scene, result: Result) -> bool:
    """Tell whether the cloud of a result would look different with the scene's filters."""
    chosen, old = getattr(scene, names.SCENE_SETTINGS), _read_old(result)
    if not result.has("depth"):
        return False  # points of COLMAP are as they are
    return any(
        name in old and abs(float(old[name]) - float(getattr(chosen, name))) > _SAME_FILTER
        for name in _FILTERS
    )


def _read_old(result: Result) -> dict[str, Any]:
    settings = result.manifest.get("settings")
    return settings if isinstance(settings, dict) else {}


def make_build_options(scene: Scene) -> BuildOptions:
    """Gather the choices of the scene builder."""
    chosen = getattr(scene, names.SCENE_SETTINGS)
    values = {field.name: getattr(chosen, field.name) for field in fields(BuildOptions)}
    # Blender keeps single precision: 0.05 comes back with noise behind it.
    return BuildOptions(
        **{k: round(v, _DECIMALS) if isinstance(v, float) else v for k, v in values.items()}
    )


def list_inputs(scene: Scene) -> tuple[str, ...]:
    """Return the absolute paths of the input: one folder, one file, or the chosen files."""
    chosen = getattr(scene, names.SCENE_SETTINGS)
    path = bpy.path.abspath(chosen.input_path.strip())
    if not path:
        return ()
    place = Path(path)
    if chosen.input_files:
        return tuple(str(place / item.name) for item in chosen.input_files)
    return (str(place),)


def find_input_folder(scene: Scene) -> str:
    """Return the folder where a file browser opens: that of the input, or "" without one."""
    path = bpy.path.abspath(getattr(scene, names.SCENE_SETTINGS).input_path.strip())
    if not path:
        return ""
    place = Path(path)
    return str(place if place.is_dir() else place.parent)


def choose_output(scene: Scene, user_folder: Path) -> Path:
    """Choose a results folder that does not exist yet.

    It lies in the folder that the user chose, else beside the saved .blend, else in the
    extension's own folder; never beside the photos, which may be read-only.
    """
    parent = _find_parent(scene, user_folder)
    inputs = list_inputs(scene)
    source = Path(inputs[0])
    name = source.parent.name if len(inputs) > 1 else source.stem if source.suffix else source.name
    return find_free_folder(parent / _clean_name(name))


def choose_masks_folder(scene: Scene, user_folder: Path, name: str) -> Path:
    """Choose where the pictures of a mask lie: beside the results, or in the extension's folder."""
    return _find_parent(scene, user_folder) / "masks" / _clean_name(name)


def _find_parent(scene: Scene, user_folder: Path) -> Path:
    chosen = getattr(scene, names.SCENE_SETTINGS)
    if chosen.output_folder.strip():
        return Path(bpy.path.abspath(chosen.output_folder.strip()))
    if bpy.data.filepath:
        return Path(bpy.data.filepath).parent / RESULTS_FOLDER
    return user_folder / "results"


def _clean_name(name: str) -> str:
    kept = "".join("_" if c in _FORBIDDEN or ord(c) < ord(" ") else c for c in name)
    return kept.strip(" .")[:_LONGEST_NAME].rstrip(" .") or "result"

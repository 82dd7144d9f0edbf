# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the chosen model can do, whether it is here, and what a run with it will take.

Runs in Blender, while a panel is drawn: reads what the client knows, never the disk.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from ..da3_blender.client.measured_speeds import find_speed, read_device
from ..da3_blender.client.model_shelf import read_model
from ..da3_blender.client.session import current_client
from ..da3_blender.contract.estimates import DeviceFacts, estimate_run, fit_to_network
from ..da3_blender.contract.models import (
    MODELS,
    Capability,
    ModelEntry,
    estimate_memory_bytes,
    format_gigabytes,
)

if TYPE_CHECKING:
    from bpy.types import PropertyGroup

    from ..da3_blender.contract.estimates import RunEstimate

_USUAL_PHOTO: Final = (4000, 3000)
_MOST_PHOTOS: Final = 2000
_ORDERED: Final = ("SEQUENCE", "VIDEO")


class Forecast(NamedTuple):
    """What a run will take.

    text: for people; is_too_much: the device has less memory than that.
    """

    text: str
    is_too_much: bool


def find_device() -> DeviceFacts | None:
    """Return the device of the running engine, else that of the last run."""
    client = current_client()
    return (None if client is None else client.device) or read_device()


def choose_precision(chosen: str, device: DeviceFacts | None) -> str:
    """Return the number format that a run will use."""
    if chosen != "auto":
        return chosen
    return "bfloat16" if device is not None and device.kind != "cpu" else "float32"


def is_missing(model_id: str) -> bool:
    """Tell whether a model is known not to be on this machine."""
    files = read_model(model_id)
    return files is not None and files.path is None


def forecast(settings: PropertyGroup, precision: str) -> Forecast | None:
    """Estimate a run with the present choices; None where too little is known.

    Args:
        settings: of the scene.
        precision: from the preferences.
    """
    views = settings.input_views
    if views < 1 or is_missing(settings.model):
        return None
    device = find_device()
    estimate = _estimate(settings, views, choose_precision(precision, device))
    text = estimate.describe(views, settings.model)
    if device is None or not device.total_bytes:
        return Forecast(text, is_too_much=False)
    text = f"{text.rstrip('.')}; you have {format_gigabytes(device.total_bytes)}."
    return Forecast(text, estimate.memory_bytes > device.total_bytes)


def _estimate(settings: PropertyGroup, views: int, precision: str) -> RunEstimate:
    size = choose_size(settings)
    speed = find_speed(settings.model)
    if speed is not None and speed.precision != precision:
        speed = None
    if MODELS[settings.model].architecture.is_single_view:
        # Photos come one at a time, so memory is that of one; the time is that of all.
        one = estimate_run(settings.model, 1, size, precision, speed)
        seconds = None if one.seconds is None else views * one.seconds
        return type(one)(one.memory_bytes, seconds)
    if settings.input_kind in _ORDERED and settings.keyframes == "COUNT":
        views = min(views, settings.keyframe_count)
    chunk = settings.chunk_frames
    if settings.input_kind in _ORDERED and 0 < chunk < views:
        # one chunk at a time: their number decides the time, which nobody has measured
        return estimate_run(settings.model, chunk, size, precision, None)
    if settings.input_kind in _ORDERED and settings.keyframes != "OFF":
        speed = None  # how many keyframes there are, and what is between, shows later
    return estimate_run(settings.model, views, size, precision, speed)


def choose_size(settings: PropertyGroup) -> tuple[int, int]:
    """Return height and width of a photo as the network will see it."""
    photo = (settings.input_width, settings.input_height)
    width, height = photo if all(photo) else _USUAL_PHOTO
    resolution = MODELS[settings.model].limit_resolution(settings.process_resolution)
    is_lower = settings.resize_method.startswith("lower")
    return fit_to_network(width, height, resolution, is_lower_bound=is_lower)


def count_photos_that_fit(entry: ModelEntry, settings: PropertyGroup, precision: str) -> int | None:
    """Return how many photos the device has memory for; None if that is not known.

    Args:
        entry: the model.
        settings: of the scene, for the resolution.
        precision: from the preferences.
    """
    device = find_device()
    if device is None or not device.total_bytes:
        return None
    size, kind = choose_size(settings), choose_precision(precision, device)
    first = estimate_memory_bytes(entry.id, 1, *size, kind)
    further = estimate_memory_bytes(entry.id, 2, *size, kind) - first
    spare = device.total_bytes - first
    if spare < 0:
        return 0
    return _MOST_PHOTOS if further <= 0 else min(_MOST_PHOTOS, 1 + int(spare // further))


def describe_fit(entry: ModelEntry, settings: PropertyGroup, precision: str) -> str:
    """Say in a few words what a model can do on this machine."""
    count = count_photos_that_fit(entry, settings, precision)
    if count is None:
        device = find_device()
        size = choose_size(settings)
        needed = estimate_memory_bytes(entry.id, 1, *size, choose_precision(precision, device))
        return f"Needs {format_gigabytes(needed)} and more with each photo"
    if count == 0:
        return "Too large for this machine's memory"
    if count >= _MOST_PHOTOS:
        return "Any number of photos fits"
    digits = 1 - math.floor(math.log10(count))  # two digits are as exact as it is
    return f"About {round(count, min(digits, 0))} photos fit at once"


def explain_no_mesh(settings: PropertyGroup) -> str:
    """Return why no mesh can be made with the present choices; "" if it can."""
    if is_missing(settings.model):
        return f"A mesh needs depth: download {MODELS[settings.model].title}"
    return ""


def explain_no_splats(settings: PropertyGroup) -> str:
    """Return why no splats can be made with the present choices; "" if they can."""
    entry = MODELS[settings.model]
    if not entry.can(Capability.GAUSSIANS):
        return f"{entry.title} makes no splats: Giant and Nested do"
    if is_missing(settings.model):
        return f"Splats need the network: download {entry.title}"
    return ""


def explain_single_view(entry: ModelEntry) -> str:
    """Return why settings of cameras have no effect with a model; "" if they have."""
    if entry.can(Capability.CAMERAS):
        return ""
    return f"{entry.title} finds no cameras: COLMAP does"

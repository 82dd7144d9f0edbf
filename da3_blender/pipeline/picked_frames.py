# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames of a sequence or video a run looks at for depth: all, or keyframes.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract.models import Capability, get_model
from ..contract.views import SourceKind
from ..media.chosen_frames import ChosenFrames
from ..media.keyframes import choose_keyframes

if TYPE_CHECKING:
    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource
    from .choice import Choice


def has_keyframes(settings: RunSettings, source: PhotoSource) -> bool:
    """Tell whether a run looks at keyframes only."""
    return settings.keyframes != "OFF" and source.kind is not SourceKind.PHOTOS


def poses_between(settings: RunSettings, source: PhotoSource, choice: Choice) -> bool:
    """Tell whether the frames between keyframes get cameras from the network."""
    return (
        has_keyframes(settings, source)
        and settings.pose_between
        and choice.checkpoint is not None
        and not choice.has_known_cameras
        and get_model(settings.model).can(Capability.CAMERAS)
    )


def pick_frames(source: PhotoSource, settings: RunSettings, progress: Progress) -> ChosenFrames:
    """Choose the keyframes of a source, within their stage.

    Raises:
        EngineError: INPUT_UNREADABLE; a frame cannot be decoded.
        CancelledError: the user cancelled.
    """
    chosen = choose_keyframes(
        source, settings, lambda done, count: progress.report(done / count, f"{done} of {count}")
    )
    progress.note(f"{len(chosen)} of {len(source.views)} frames are keyframes and give points.")
    return ChosenFrames(source, chosen)

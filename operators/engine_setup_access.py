# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the preferences to a set-up that runs, and the timer that follows it.

Runs in Blender's main thread.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import bpy

from ..da3_blender.client.engine_setup import (
    current_setup,
    is_setup_running,
    start_setup,
    tick_setup,
)
from ..da3_blender.client.job import JobState
from ..da3_blender.client.launch import find_extension_root
from ..da3_blender.client.session import current_job, shut_down
from ..da3_blender.client.setup_facts import explain_unsupported
from ..da3_blender.client.uv_program import find_bundled_uv
from ..da3_blender.contract.errors import EngineError, ErrorCode
from ..da3_blender.contract.setup_request import (
    CHECK,
    FOLDER,
    INSTALL,
    ONLINE,
    PYTHON_CHOSEN,
    REPAIR,
    SetupRequest,
)
from ..da3_blender.scene.properties import clear_failure
from .extension import get_preferences
from .failures import report_failure

if TYPE_CHECKING:
    from bpy.types import Context, Operator

    from ..da3_blender.client.setup_job import SetupJob

TICK_S: Final = 0.2
_REGIONS: Final = {"VIEW_3D": "UI", "PREFERENCES": "WINDOW"}


def refuse_while_busy(operator: type[Operator]) -> bool:
    """Answer `poll`: nothing may run that uses the engine's files.

    Args:
        operator: gets the reason.
    """
    if is_setup_running():
        operator.poll_message_set("The engine is being set up: wait for it or cancel it")
        return False
    job = current_job()
    if job is not None and not job.is_over:
        operator.poll_message_set("A run is in progress: wait for it or cancel it")
        return False
    return True


def carry_out(operator: Operator, context: Context, action: str, *, waits: bool) -> set[str]:
    """Start what was asked for; without a window, or on request, wait for its end.

    Args:
        operator: to report with.
        context: of the operator.
        action: one of the actions of `contract.setup_request`.
        waits: return when it is over.

    Returns:
        The operator's answer.
    """
    clear_failure(context.window_manager)
    try:
        request = _make_request(context, action)
        if action != CHECK:
            shut_down()  # an idle worker holds files of the environment
        job = start_setup(sys.executable, request)
    except EngineError as error:
        return report_failure(operator, context, error)
    tag_setup_areas()
    if not (waits or bpy.app.background):
        bpy.app.timers.register(_follow, first_interval=TICK_S, persistent=True)
        return {"FINISHED"}
    while not job.is_over:
        tick_setup()
        time.sleep(TICK_S)
    get_preferences(context).refresh_engine()
    if job.error is not None:  # the box of the set-up shows it
        operator.report({"ERROR"}, f"{job.error.message} {job.error.hint}")
        return {"CANCELLED"}
    for line in job.findings:
        operator.report({"INFO"}, line)
    return {"FINISHED" if job.state is JobState.DONE else "CANCELLED"}


def tag_setup_areas() -> None:
    """Ask for a redraw of what shows the set-up, and not of the 3D views, which may be slow."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            shown = _REGIONS.get(area.type)
            for region in area.regions:
                if region.type == shown:
                    region.tag_redraw()


def _follow() -> float | None:
    """Take in news of the set-up, as a timer; it ends with the set-up."""
    job: SetupJob | None = current_setup()
    if job is None:
        return None
    if tick_setup():
        tag_setup_areas()
    if not job.is_over:
        return TICK_S
    get_preferences(bpy.context).refresh_engine()
    tag_setup_areas()
    return None


def _make_request(context: Context, action: str) -> SetupRequest:
    """Gather what the installer needs.

    Raises:
        EngineError: the system cannot run an engine, Blender may not go online, or the folder
            of packages is missing.
    """
    preferences = get_preferences(context)
    unsupported = explain_unsupported()
    if unsupported and action in (INSTALL, REPAIR):
        raise EngineError(
            ErrorCode.SETUP_FAILED,
            unsupported,
            "A Python with the engine's libraries can be named in the preferences "
            "(Own Environment).",
        )
    folder = _find_packages(preferences.packages_folder)
    if action in (INSTALL, REPAIR):
        _check_source(preferences.packages_source, folder)
    blender_python = sys.executable if Path(sys.executable).is_file() else ""
    is_chosen = preferences.python_source == PYTHON_CHOSEN
    return SetupRequest(
        action=action,
        home=str(preferences.find_engine_folder()),
        extension_root=str(find_extension_root()),
        uv=find_bundled_uv(),
        source=preferences.packages_source,
        folder=folder,
        python=preferences.python_source,
        python_path=bpy.path.abspath(preferences.python_path) if is_chosen else "",
        blender_python=blender_python,
        backend=preferences.torch_build,
        default_index=preferences.default_index.strip(),
        extra_index=preferences.extra_index.strip(),
        torch_index=preferences.torch_index.strip(),
        python_mirror=preferences.python_mirror.strip(),
        device=preferences.device,
    )


def _find_packages(folder: str) -> str:
    return str(Path(bpy.path.abspath(folder.strip())).absolute()) if folder.strip() else ""


def _check_source(source: str, folder: str) -> None:
    if source == ONLINE and not bpy.app.online_access:
        raise EngineError(
            ErrorCode.DOWNLOAD_NOT_ALLOWED,
            "Blender may not go online.",
            "Allow Online Access in Blender's preferences, System, or set up from a folder.",
        )
    if source == FOLDER and not (folder and Path(folder).is_dir()):
        raise EngineError(
            ErrorCode.INPUT_MISSING,
            f"There is no folder {folder!r} of packages." if folder else "No folder is chosen.",
            "Choose the folder that holds the engine's packages.",
        )

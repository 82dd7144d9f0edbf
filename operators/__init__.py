# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the user can do: operators and Blender's command line.

Runs in Blender.
"""

from __future__ import annotations

import bpy

from ..da3_blender.client.engine_setup import shut_down_setup
from ..da3_blender.client.session import shut_down
from . import command_line, export_splats, import_splats
from .build_scene import DA3_OT_build_scene
from .cancel import DA3_OT_cancel
from .cancel_setup import DA3_OT_cancel_setup
from .check_engine import DA3_OT_check_engine
from .choose_files import DA3_OT_choose_files
from .choose_folder import DA3_OT_choose_folder
from .copy_report import DA3_OT_copy_report
from .dismiss import DA3_OT_dismiss
from .dismiss_setup import DA3_OT_dismiss_setup
from .download_model import DA3_OT_download_model
from .export_splats import DA3_OT_export_splats
from .import_splats import DA3_FH_splats, DA3_OT_import_splats
from .install_engine import DA3_OT_install_engine
from .look_through import DA3_OT_look_through
from .open_preferences import DA3_OT_open_preferences
from .open_result import DA3_OT_open_result
from .reconstruct import DA3_OT_reconstruct
from .remove_engine import DA3_OT_remove_engine
from .repair_engine import DA3_OT_repair_engine

_register_classes, _unregister_classes = bpy.utils.register_classes_factory(
    (
        DA3_OT_reconstruct,
        DA3_OT_cancel,
        DA3_OT_choose_folder,
        DA3_OT_choose_files,
        DA3_OT_build_scene,
        DA3_OT_look_through,
        DA3_OT_copy_report,
        DA3_OT_open_result,
        DA3_OT_open_preferences,
        DA3_OT_dismiss,
        DA3_OT_download_model,
        DA3_OT_install_engine,
        DA3_OT_check_engine,
        DA3_OT_repair_engine,
        DA3_OT_remove_engine,
        DA3_OT_cancel_setup,
        DA3_OT_dismiss_setup,
        DA3_OT_import_splats,
        DA3_OT_export_splats,
        DA3_FH_splats,
    )
)


def register() -> None:
    """Add the operators and the command."""
    _register_classes()
    command_line.register()
    bpy.types.TOPBAR_MT_file_import.append(import_splats.draw_menu)
    bpy.types.TOPBAR_MT_file_export.append(export_splats.draw_menu)


def unregister() -> None:
    """Remove them and end the engine; the timer of a run ends by itself."""
    bpy.types.TOPBAR_MT_file_export.remove(export_splats.draw_menu)
    bpy.types.TOPBAR_MT_file_import.remove(import_splats.draw_menu)
    command_line.unregister()
    shut_down_setup()
    shut_down()
    _unregister_classes()

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the user can do: operators and Blender's command line.

Runs in Blender.
"""

from __future__ import annotations

import bpy

from ..da3_blender.client.engine_setup import shut_down_setup
from ..da3_blender.client.measured_speeds import load_speeds
from ..da3_blender.client.model_shelf import forget as forget_models
from ..da3_blender.client.session import shut_down
from . import command_line, export_splats, import_splats
from .accept_upright import DA3_OT_accept_upright
from .add_flight import DA3_OT_add_flight
from .add_lens_nodes import DA3_OT_add_lens_nodes
from .align_to_object import DA3_OT_align_to_object
from .build_scene import DA3_OT_build_scene
from .cancel import DA3_OT_cancel
from .cancel_setup import DA3_OT_cancel_setup
from .check_engine import DA3_OT_check_engine
from .check_photos import DA3_OT_check_photos
from .choose_files import DA3_OT_choose_files
from .choose_folder import DA3_OT_choose_folder
from .copy_report import DA3_OT_copy_report
from .crop_splats import DA3_OT_crop_splats
from .decimate_splats import DA3_OT_decimate_splats
from .dismiss import DA3_OT_dismiss
from .dismiss_setup import DA3_OT_dismiss_setup
from .download_model import DA3_OT_download_model
from .drop_files import DA3_FH_photos, DA3_OT_drop_files
from .export_result import DA3_OT_export_result
from .export_splats import DA3_OT_export_splats
from .extension import get_user_folder
from .find_floaters import DA3_OT_find_floaters
from .finish import DA3_OT_finish
from .hand_over import DA3_OT_hand_over
from .import_splats import DA3_FH_splats, DA3_OT_import_splats
from .install_engine import DA3_OT_install_engine
from .join_shots import DA3_OT_join_shots
from .leave_out import DA3_OT_leave_out
from .look_through import DA3_OT_look_through
from .model_access import look_at_start
from .open_preferences import DA3_OT_open_preferences
from .open_result import DA3_OT_open_result
from .pick_point import DA3_OT_pick_point
from .propose_upright import DA3_OT_propose_upright
from .proxy_mesh import DA3_OT_proxy_mesh
from .rebuild import DA3_OT_rebuild
from .reconstruct import DA3_OT_reconstruct
from .refine_cameras import DA3_OT_refine_cameras
from .refresh_models import DA3_OT_refresh_models
from .remove_engine import DA3_OT_remove_engine
from .remove_model import DA3_OT_remove_model
from .remove_set_up import DA3_OT_remove_set_up
from .render_flight import DA3_OT_render_flight
from .repair_engine import DA3_OT_repair_engine
from .rerun_views import DA3_OT_rerun_views
from .scale_by_distance import DA3_OT_scale_by_distance
from .scale_by_height import DA3_OT_scale_by_height
from .select_doubtful import DA3_OT_select_doubtful
from .set_axis import DA3_OT_set_axis
from .set_floor import DA3_OT_set_floor
from .set_origin import DA3_OT_set_origin
from .set_quality import DA3_OT_set_quality
from .set_up_shot import DA3_OT_set_up_shot
from .show_parts import DA3_OT_show_parts
from .splats_to_points import DA3_OT_splats_to_points
from .step_camera import DA3_OT_step_camera
from .tracks_to_clip import DA3_OT_tracks_to_clip
from .turn_down_upright import DA3_OT_turn_down_upright
from .turn_splats import DA3_OT_turn_splats
from .use_cameras import DA3_OT_use_cameras
from .use_clip import DA3_OT_use_clip
from .write_mask import DA3_OT_write_mask

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
        DA3_OT_refresh_models,
        DA3_OT_remove_model,
        DA3_OT_set_quality,
        DA3_OT_check_photos,
        DA3_OT_leave_out,
        DA3_OT_finish,
        DA3_OT_rebuild,
        DA3_OT_rerun_views,
        DA3_OT_refine_cameras,
        DA3_OT_select_doubtful,
        DA3_OT_step_camera,
        DA3_OT_show_parts,
        DA3_OT_drop_files,
        DA3_FH_photos,
        DA3_OT_use_clip,
        DA3_OT_write_mask,
        DA3_OT_import_splats,
        DA3_OT_export_splats,
        DA3_OT_crop_splats,
        DA3_OT_find_floaters,
        DA3_OT_decimate_splats,
        DA3_OT_turn_splats,
        DA3_OT_splats_to_points,
        DA3_OT_proxy_mesh,
        DA3_FH_splats,
        DA3_OT_add_flight,
        DA3_OT_render_flight,
        DA3_OT_hand_over,
        DA3_OT_export_result,
        DA3_OT_accept_upright,
        DA3_OT_propose_upright,
        DA3_OT_turn_down_upright,
        DA3_OT_pick_point,
        DA3_OT_set_floor,
        DA3_OT_set_origin,
        DA3_OT_set_axis,
        DA3_OT_scale_by_distance,
        DA3_OT_scale_by_height,
        DA3_OT_add_lens_nodes,
        DA3_OT_align_to_object,
        DA3_OT_join_shots,
        DA3_OT_set_up_shot,
        DA3_OT_remove_set_up,
        DA3_OT_use_cameras,
        DA3_OT_tracks_to_clip,
    )
)


def register() -> None:
    """Add the operators and the command."""
    _register_classes()
    command_line.register()
    bpy.types.TOPBAR_MT_file_import.append(import_splats.draw_menu)
    bpy.types.TOPBAR_MT_file_export.append(export_splats.draw_menu)
    load_speeds(get_user_folder())
    if not bpy.app.background:
        bpy.app.timers.register(look_at_start, first_interval=1.0)


def unregister() -> None:
    """Remove them and end the engine; the timer of a run ends by itself."""
    bpy.types.TOPBAR_MT_file_export.remove(export_splats.draw_menu)
    bpy.types.TOPBAR_MT_file_import.remove(import_splats.draw_menu)
    command_line.unregister()
    shut_down_setup()
    shut_down()
    if bpy.app.timers.is_registered(look_at_start):
        bpy.app.timers.unregister(look_at_start)
    forget_models()
    _unregister_classes()

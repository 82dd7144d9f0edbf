# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names used on both sides of a wall: operators, properties, attributes, files.

Runs in both processes.
"""

from __future__ import annotations

from typing import Final

# Operators (registered in `operators`, named by `panels`).
OP_RECONSTRUCT: Final = "da3.reconstruct"
OP_CANCEL: Final = "da3.cancel"
OP_CHOOSE_FOLDER: Final = "da3.choose_folder"
OP_CHOOSE_FILES: Final = "da3.choose_files"
OP_BUILD_SCENE: Final = "da3.build_scene"
OP_LOOK_THROUGH: Final = "da3.look_through"
OP_COPY_REPORT: Final = "da3.copy_report"
OP_OPEN_RESULT: Final = "da3.open_result"
OP_OPEN_PREFERENCES: Final = "da3.open_preferences"
OP_DISMISS: Final = "da3.dismiss"
OP_DOWNLOAD_MODEL: Final = "da3.download_model"
OP_INSTALL_ENGINE: Final = "da3.install_engine"
OP_CHECK_ENGINE: Final = "da3.check_engine"
OP_REPAIR_ENGINE: Final = "da3.repair_engine"
OP_REMOVE_ENGINE: Final = "da3.remove_engine"
OP_CANCEL_SETUP: Final = "da3.cancel_setup"
OP_DISMISS_SETUP: Final = "da3.dismiss_setup"
OP_REFRESH_MODELS: Final = "da3.refresh_models"
OP_REMOVE_MODEL: Final = "da3.remove_model"
OP_SET_QUALITY: Final = "da3.set_quality"
OP_CHECK_PHOTOS: Final = "da3.check_photos"
OP_LEAVE_OUT: Final = "da3.leave_out"
OP_FINISH: Final = "da3.finish"
OP_REBUILD: Final = "da3.rebuild"
OP_RERUN_VIEWS: Final = "da3.rerun_views"
OP_REFINE: Final = "da3.refine_cameras"
OP_SELECT_DOUBTFUL: Final = "da3.select_doubtful"
OP_STEP_CAMERA: Final = "da3.step_camera"
OP_SHOW_PARTS: Final = "da3.show_parts"
OP_DROP_FILES: Final = "da3.drop_files"
OP_WRITE_MASK: Final = "da3.write_mask"
OP_USE_CLIP: Final = "da3.use_clip"
OP_IMPORT_SPLATS: Final = "da3.import_splats"
OP_EXPORT_SPLATS: Final = "da3.export_splats"
OP_CROP_SPLATS: Final = "da3.crop_splats"
OP_FIND_FLOATERS: Final = "da3.find_floaters"
OP_DECIMATE_SPLATS: Final = "da3.decimate_splats"
OP_TURN_SPLATS: Final = "da3.turn_splats"
OP_SPLATS_TO_POINTS: Final = "da3.splats_to_points"
OP_PROXY_MESH: Final = "da3.proxy_mesh"
OP_ADD_FLIGHT: Final = "da3.add_flight"
OP_RENDER_FLIGHT: Final = "da3.render_flight"
OP_HAND_OVER: Final = "da3.hand_over"
OP_ADD_LENS_NODES: Final = "da3.add_lens_nodes"
OP_EXPORT_RESULT: Final = "da3.export_result"
OP_PROPOSE_UPRIGHT: Final = "da3.propose_upright"
OP_ACCEPT_UPRIGHT: Final = "da3.accept_upright"
OP_TURN_DOWN_UPRIGHT: Final = "da3.turn_down_upright"
OP_PICK_POINT: Final = "da3.pick_point"
OP_SET_FLOOR: Final = "da3.set_floor"
OP_SET_ORIGIN: Final = "da3.set_origin"
OP_SET_AXIS: Final = "da3.set_axis"
OP_SCALE_BY_DISTANCE: Final = "da3.scale_by_distance"
OP_SCALE_BY_HEIGHT: Final = "da3.scale_by_height"
OP_ALIGN_TO_OBJECT: Final = "da3.align_to_object"
OP_JOIN_SHOTS: Final = "da3.join_shots"
OP_SET_UP_SHOT: Final = "da3.set_up_shot"
OP_REMOVE_SET_UP: Final = "da3.remove_set_up"
OP_USE_CAMERAS: Final = "da3.use_cameras"
OP_TRACKS_TO_CLIP: Final = "da3.tracks_to_clip"

# Property groups.
SCENE_SETTINGS: Final = "da3"

# Custom properties that scripts can rely on.
PROP_IMAGE: Final = "da3_image"  # on a camera object: file name of its photo
PROP_K: Final = "da3_K"  # on a camera object: 9 numbers, row-major, pixels of the original photo
PROP_W2C: Final = "da3_w2c"  # on a camera object: 16 numbers, row-major, OpenCV world-to-camera
PROP_SIZE: Final = "da3_size"  # on a camera object: width and height of the original photo
PROP_FRAME: Final = "da3_frame"  # on a camera object: frame number of its photo, if it has one
PROP_INDEX: Final = "da3_index"  # on a camera or mesh object: position of its view in the result
PROP_RESULT: Final = "da3_result"  # on the root empty: the results folder
PROP_ROLE: Final = "da3_role"  # on every object of ours: one of the ROLE_ values
PROP_STAMP: Final = "da3_version"  # on node groups and materials: version of their recipe
PROP_INPUT: Final = "da3_input"  # on the root empty: what was reconstructed, to find it again
PROP_FACTS: Final = "da3_facts"  # on the root empty: numbers and names for the panel
PROP_DOUBT: Final = "da3_doubt"  # on a camera object: why its view is doubtful, "" if it is not
PROP_WRITTEN: Final = "da3_written"  # on every object of ours: what the builder set last
PROP_PRINT: Final = "da3_print"  # on geometry of ours: fingerprint of what the builder made
PROP_RENDER_BEFORE: Final = "da3_render_before"  # on a scene while a flight is rendered: JSON
PROP_PROPOSAL: Final = "da3_proposal"  # on the root empty: its place before, and what was found
PROP_POINT: Final = "da3_point"  # on a picked point: its number
PROP_SET_UP: Final = "da3_set_up"  # on a scene with a shot's set-up: its settings before

ROLE_ROOT: Final = "root"
ROLE_CAMERA: Final = "camera"
ROLE_POINTS: Final = "points"
ROLE_MESH: Final = "mesh"
ROLE_SPLATS: Final = "splats"
ROLE_PROXY: Final = "proxy"
ROLE_LIVE: Final = "live"  # what shows a run that goes on; it ends with the run
ROLE_FLIGHT: Final = "flight"  # an animated camera, made by the user's wish, not by a result
ROLE_POINT: Final = "point"  # an empty on a place that the user has picked
ROLE_SET_UP: Final = "set_up"  # what the set-up of a shot has made; goes with it

# Attributes of point clouds.
ATTR_COLOUR: Final = "Col"
ATTR_CONFIDENCE: Final = "confidence"
ATTR_VIEW: Final = "view"
ATTR_VIEW_COUNT: Final = "views"  # how many views agree on a point
ATTR_MOVING: Final = "moving"  # several views look through the place where a point was
ATTR_FRAME: Final = "frame"  # of a point's view on the time line
ATTR_FRAME_END: Final = "frame_end"  # first frame of the next view

# Attributes of splats: numbers of one Gaussian on one vertex, object space.
ATTR_SCALE: Final = "scale"  # vector, standard deviations along the Gaussian's own axes
ATTR_ROTATION: Final = "rotation"  # quaternion, object from own axes
ATTR_OPACITY: Final = "opacity"  # 0 to 1
ATTR_HARMONICS: Final = tuple(f"sh_{index}" for index in range(16))  # vector: red, green, blue
ATTR_RANK: Final = "rank"  # place in the order of importance, 0 first
ATTR_BORDER: Final = "border"  # 0 to 0.5, of its pixel from the nearest edge of its photo
ATTR_FAR: Final = "far"  # 0 to 1, share of the Gaussians of its photo that are nearer
ATTR_NEIGHBOURS: Final = "neighbours"  # how many others are near it

# Data-blocks that are shared between results.
MATERIAL_POINTS: Final = "DA3 Points"
NODES_POINTS: Final = "DA3 Points"
MATERIAL_PHOTO: Final = "DA3 Photo"
MATERIAL_SPLATS: Final = "DA3 Splats"
MATERIAL_DEPTH: Final = "DA3 Depth"
NODES_SPLATS: Final = "DA3 Splats"
NODES_PROXY: Final = "DA3 Proxy"
NODES_SURFACE: Final = "DA3 Shot Surface"

# Files of a results folder.
MANIFEST: Final = "manifest.json"
LOG_FILE: Final = "log.txt"
PHOTOS_FOLDER: Final = "photos"

CLI_COMMAND: Final = "da3"
EXTENSION_ID: Final = "da3_reconstruction"

# What `export` writes of a result, and what that is; `pipeline.export` has the functions.
EXPORT_FORMATS: Final = {
    "npz": "all arrays",
    "colmap": "a project with lenses, tracks and pictures",
    "colmap-text": "the same as text",
    "ply": "splats",
    "spz": "splats, small",
    "report": "the cameras' errors as one HTML page",
    "st-maps": "EXR maps that take distortion out and put it in",
    "undistorted": "the plate without distortion, in its own frame",
    "undistorted-overscan": "the same with nothing cut, and its cameras",
    "layers": "EXR with depth, position, normal, confidence and sky in the plate's pixels",
    "layers-undistorted": "the same for the undistorted plate",
}

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All choices of a scene, `scene.da3`, and the notice of the session, `window_manager.da3`.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)
from bpy.types import Context, PropertyGroup

from ..contract import names
from ..contract.errors import EngineError
from . import choices
from .flight_settings import FlightSettings
from .input_summary import summarise_input
from .lookup import find_root, list_cameras, list_parts
from .matchmove_settings import MatchmoveSettings
from .photo_findings import InputFile, PhotoFinding, forget_check, store_check
from .refine_choices import RefineChoices
from .upright import read_proposal
from .visibility import are_photos_shown, are_shown
from .world_settings import WorldSettings

# Panels may read objects through this module.
__all__ = [
    "FlightSettings",
    "SceneSettings",
    "SessionNotice",
    "WorldSettings",
    "are_photos_shown",
    "are_shown",
    "clear_failure",
    "find_root",
    "list_cameras",
    "list_parts",
    "read_failure",
    "read_proposal",
    "refresh_summary",
    "show_failure",
    "store_check",
]


def _forget_files(self: "SceneSettings", _context: Context) -> None:
    """Typing a path replaces files that were chosen before."""
    self.input_files.clear()
    refresh_summary(self)


def refresh_summary(settings: "SceneSettings") -> None:
    """Look at the input once, so that the panel can show what it is without touching the disk."""
    path = bpy.path.abspath(settings.input_path)
    summary = summarise_input(path, [item.name for item in settings.input_files])
    forget_check(settings)
    settings.input_summary, settings.input_views = summary.text, summary.photos


class SceneSettings(RefineChoices, PropertyGroup):
    """What the user chose in this scene; the fields of RunSettings and BuildOptions."""

    input_path: StringProperty(
        name="Input",
        description="Folder of photos, one photo sequence, or a video",
        update=_forget_files,
    )
    input_files: CollectionProperty(
        type=InputFile, name="Input Files", description="Chosen files of the input folder"
    )
    input_summary: StringProperty(
        name="Found", description="What the input was when it was chosen", options={"HIDDEN"}
    )
    input_views: IntProperty(
        name="Photos", description="How many photos or frames the input has; 0: not known"
    )
    input_width: IntProperty(name="Width", description="Of the first photo; 0: not known")
    input_height: IntProperty(name="Height", description="Of the first photo; 0: not known")
    is_checked: BoolProperty(
        name="Checked", description="The engine has looked at the photos of this input"
    )
    findings: CollectionProperty(
        type=PhotoFinding,
        name="Doubtful Photos",
        description="Photos of the input that look blurred, are there twice or have another lens",
    )
    output_folder: StringProperty(
        name="Results Folder",
        description=(
            "Where results are kept; each run makes a new folder in it. "
            "Empty: da3_results beside the saved .blend"
        ),
        subtype="DIR_PATH",
        options={"PATH_SUPPORTS_BLEND_RELATIVE"},
    )
    input_kind: EnumProperty(
        name="Input Is", description="How to read the input", items=choices.INPUT_KIND
    )
    use_frame_range: BoolProperty(
        name="Frame Range", description="Use only a part of the sequence or video", default=False
    )
    frame_start: IntProperty(
        name="First Frame", description="First frame of the source to use", default=1, min=0
    )
    frame_end: IntProperty(
        name="Last Frame", description="Last frame of the source to use", default=250, min=0
    )
    frame_step: IntProperty(
        name="Step", description="Use every n-th frame", default=1, min=1, max=100_000
    )
    target_fps: FloatProperty(
        name="Target FPS",
        description="Frames to use of each second of video; 0 uses Step instead",
        default=0.0,
        min=0.0,
        max=1000.0,
    )
    keyframes: EnumProperty(
        name="Frames",
        description="Which frames of a sequence or video are looked at for depth and points",
        items=choices.KEYFRAMES,
    )
    keyframe_count: IntProperty(
        name="Keyframes",
        description="How many frames are looked at for depth and points",
        default=100,
        min=2,
        max=1_000_000,
    )
    keyframe_motion: FloatProperty(
        name="Motion",
        description=(
            "How far the picture moves from keyframe to keyframe, as a share of its diagonal; "
            "less gives more keyframes"
        ),
        default=0.05,
        min=0.005,
        max=0.5,
        step=1,
        precision=3,
        subtype="FACTOR",
    )
    pose_between: BoolProperty(
        name="Pose Frames Between",
        description=(
            "Frames between keyframes get cameras too, so the camera moves as the real one did; "
            "takes longer. They make no points"
        ),
        default=True,
    )
    cameras: EnumProperty(
        name="Cameras", description="Who finds the cameras", items=choices.CAMERAS
    )
    model: EnumProperty(
        name="Model",
        description="Size of the Depth Anything 3 network",
        items=choices.MODEL,
        default="da3-base",
    )
    checkpoint: StringProperty(
        name="Weights",
        description="File or folder with the model's weights; empty looks where they are kept",
        subtype="FILE_PATH",
        options={"PATH_SUPPORTS_BLEND_RELATIVE"},
    )
    process_resolution: IntProperty(
        name="Resolution",
        description="Side of the pictures that the network sees; more is sharper and slower",
        default=504,
        min=56,
        max=4096,
        step=14,
        subtype="PIXEL",
    )
    resize_method: EnumProperty(
        name="Resize",
        description="Which side gets the resolution",
        items=choices.RESIZE_METHOD,
    )
    reference_view: EnumProperty(
        name="Reference View",
        description="Photo that the network takes as the origin",
        items=choices.REFERENCE_VIEW,
    )
    use_ray_pose: BoolProperty(
        name="Cameras from Rays",
        description="Take cameras from the ray map in place of the camera decoder; slower",
        default=False,
    )
    measure_scale: BoolProperty(
        name="Measure in Metres",
        description="Size the scene with DA3METRIC-LARGE, where its weights are on this machine",
        default=False,
    )
    square_pixels: BoolProperty(
        name="Square Pixels",
        description="Use one focal length for both axes of cameras that the network found",
        default=True,
    )
    matching: EnumProperty(
        name="Matching", description="Which photos COLMAP compares", items=choices.MATCHING
    )
    shared_lens: BoolProperty(
        name="Shared Lens",
        description="Photos of one size were taken with one lens at one zoom",
        default=True,
    )
    lens_model: EnumProperty(
        name="Lens Model",
        description="Distortion that COLMAP and refining solve for",
        items=choices.LENS_MODEL,
    )
    use_focal_prior: BoolProperty(
        name="EXIF Focal Length",
        description="Start from the focal length that the camera wrote into the photos",
        default=True,
    )
    max_features: IntProperty(
        name="Features",
        description="Features that COLMAP takes from each photo",
        default=8192,
        min=256,
        max=65_536,
    )
    max_photo_side: IntProperty(
        name="Photo Size",
        description="Larger photos are reduced for the feature search",
        default=2400,
        min=320,
        max=16_384,
        subtype="PIXEL",
    )
    world_up: EnumProperty(
        name="Upright", description="How the world is turned upright", items=choices.WORLD_UP
    )
    drop_percent: FloatProperty(
        name="Drop",
        description="Share of the least confident depth that makes no points",
        default=40.0,
        precision=0,
        min=0.0,
        max=99.0,
        subtype="PERCENTAGE",
    )
    edge_step: FloatProperty(
        name="Edge Filter",
        description=(
            "Points at silhouettes are dropped where depth jumps by more than this share; 0 is off"
        ),
        default=0.05,
        min=0.0,
        max=1.0,
        step=1,
        precision=3,
    )
    max_points: IntProperty(
        name="Max Points",
        description="Upper bound for the cloud; it is thinned evenly",
        default=1_000_000,
        min=1,
        max=200_000_000,
    )
    least_views: IntProperty(
        name="Keep from Views",
        description=(
            "Points on which fewer views agree are not made; up to 25 views are asked about each"
        ),
        default=1,
        min=1,
        max=25,
    )
    masks: StringProperty(
        name="Masks",
        description=(
            "Folder of pictures named like the photos or ending in the frame's number: what is "
            "black makes no points and joins no views. Transparent parts of photos count anyway"
        ),
        subtype="DIR_PATH",
        options={"PATH_SUPPORTS_BLEND_RELATIVE"},
    )
    masks_inverted: BoolProperty(
        name="White Is Left Out",
        description="White of the masks makes no points, in place of black",
        default=False,
    )
    make_cameras: BoolProperty(
        name="Cameras",
        description="Make camera objects, with the photos behind them",
        default=True,
    )
    make_points: BoolProperty(
        name="Points", description="Make a cloud of coloured points", default=True
    )
    make_mesh: BoolProperty(
        name="Mesh",
        description=(
            "Make a surface of each depth map, with its photo on it and cut where depth jumps"
        ),
        default=False,
    )
    make_splats: BoolProperty(
        name="Splats",
        description="Make Gaussian splats; the models Giant and Nested can, and need more time",
        default=False,
    )
    chunk_method: EnumProperty(
        name="Joined",
        description="How the chunks of a long sequence become one world",
        items=choices.CHUNK_METHODS,
    )
    show_chunks: BoolProperty(
        name="Show Chunks as They Come",
        description=(
            "While a long sequence is computed, show its chunks as objects; they go when the "
            "result is built"
        ),
        default=True,
    )
    chunk_frames: IntProperty(
        name="Frames at Once",
        description=(
            "Longer sequences and videos go through the network in overlapping chunks of so many "
            "frames; 0 lets it see all at once, which needs memory for all"
        ),
        default=120,
        min=0,
        max=10_000,
    )
    max_splats: IntProperty(
        name="Max Splats",
        description="Upper bound for the Gaussians; photos are left out where all give more",
        default=2_500_000,
        min=1,
        max=200_000_000,
    )
    mesh_step: IntProperty(
        name="Mesh Step",
        description="Every n-th pixel of the depth maps becomes a vertex; 1 is the finest",
        default=2,
        min=1,
        max=64,
    )
    mesh_drop_percent: FloatProperty(
        name="Mesh Drop",
        description="Share of the least confident depth that makes no surface",
        default=20.0,
        precision=0,
        min=0.0,
        max=99.0,
        subtype="PERCENTAGE",
    )
    mesh_cut: FloatProperty(
        name="Mesh Cut",
        description="Surfaces are cut where depth jumps by more than this share; 0 is off",
        default=0.05,
        min=0.0,
        max=1.0,
        step=1,
        precision=3,
    )
    update: BoolProperty(
        name="Update Existing",
        description=(
            "Change the objects of an earlier run of the same input; what you have changed on "
            "them stays. Off: add new ones"
        ),
        default=True,
    )
    keep_edits: BoolProperty(
        name="Keep My Edits",
        description="Do not replace points and meshes that you have edited by hand",
        default=True,
    )
    point_display: EnumProperty(
        name="Show as", description="Kind of object for the cloud", items=choices.POINT_DISPLAY
    )
    point_size: FloatProperty(
        name="Point Size",
        description="Factor on the radius that suits the density of the cloud",
        default=1.0,
        min=0.01,
        soft_max=10.0,
        max=1000.0,
        subtype="FACTOR",
    )
    min_confidence: FloatProperty(
        name="Min Confidence",
        description="Points below are hidden; change it later in the modifier",
        default=0.0,
        min=0.0,
        soft_max=20.0,
    )
    min_views: IntProperty(
        name="Fewest Views",
        description="Points on which fewer views agree are hidden; change it later in the modifier",
        default=1,
        min=1,
        max=25,
    )
    show_moving: BoolProperty(
        name="Show Moving",
        description=(
            "Show what moves through the scene, in a sequence or video at its own frame only; "
            "change it later in the modifier"
        ),
        default=False,
    )
    draw_points: BoolProperty(
        name="Colours in Solid View",
        description="Draw the colours of points in solid and wireframe viewports",
        default=True,
    )
    draw_limit: IntProperty(
        name="Drawn Points",
        description="Above this an even share of the points is drawn in solid viewports",
        default=2_000_000,
        min=1000,
        max=200_000_000,
    )
    camera_mode: EnumProperty(
        name="Camera Objects", description="Which cameras to make", items=choices.CAMERA_MODE
    )
    camera_size: FloatProperty(
        name="Camera Size",
        description="Factor on the display size of the cameras",
        default=1.0,
        min=0.01,
        soft_max=10.0,
        max=1000.0,
        subtype="FACTOR",
    )
    show_photos: BoolProperty(
        name="Show Photos",
        description="Show each photo as the background of its camera",
        default=True,
    )
    set_render_size: BoolProperty(
        name="Set Render Size",
        description="Make the first camera active and render at its photo's size",
        default=True,
    )
    set_frame_range: BoolProperty(
        name="Set Frame Range",
        description="Take frame range and frame rate of a sequence or video",
        default=True,
    )
    standard_view: BoolProperty(
        name="True Colours",
        description=(
            "Use the view transform Standard, so that colours equal the photos; "
            "only in scenes that hold nothing else"
        ),
        default=True,
    )
    frame_view: BoolProperty(
        name="Frame in View",
        description="Turn the 3D view to the new cloud",
        default=True,
    )
    flight: PointerProperty(
        type=FlightSettings, name="Flight", description="Camera flight and its video"
    )
    world: PointerProperty(
        type=WorldSettings, name="World", description="Lengths that size a reconstruction"
    )
    matchmove: PointerProperty(
        type=MatchmoveSettings, name="Matchmove", description="Set-up of a shot, and its tracks"
    )


class SessionNotice(PropertyGroup):
    """What the panel tells besides the job: a failure before a job began, a closed message.

    On the window manager, so that undo and other scenes do not touch it.
    """

    code: StringProperty(name="Code", description="Value of an ErrorCode; empty: no failure")
    message: StringProperty(name="Message", description="What happened")
    hint: StringProperty(name="Hint", description="What to do about it")
    dismissed_job: StringProperty(
        name="Dismissed Job", description="Job whose outcome the user has closed"
    )


_CLASSES = (
    InputFile,
    PhotoFinding,
    FlightSettings,
    WorldSettings,
    MatchmoveSettings,
    SceneSettings,
    SessionNotice,
)


@bpy.app.handlers.persistent
def _forget_failure(*_arguments: object) -> None:
    """A failure that was saved with a file says nothing about this session."""
    clear_failure(bpy.context.window_manager)


def show_failure(window_manager: bpy.types.WindowManager, error: EngineError) -> None:
    """Put a failure on the panel until the next run or until it is dismissed."""
    notice = getattr(window_manager, names.SCENE_SETTINGS)
    notice.code, notice.message, notice.hint = error.code.value, error.message, error.hint


def clear_failure(window_manager: bpy.types.WindowManager) -> None:
    """Take the failure off the panel."""
    notice = getattr(window_manager, names.SCENE_SETTINGS)
    notice.code = notice.message = notice.hint = ""


def read_failure(window_manager: bpy.types.WindowManager) -> EngineError | None:
    """Return the failure that the panel shows, if there is one."""
    notice = getattr(window_manager, names.SCENE_SETTINGS)
    if not notice.code:
        return None
    return EngineError.from_json(
        {"code": notice.code, "message": notice.message, "hint": notice.hint}
    )


def register() -> None:
    """Add `scene.da3` and `window_manager.da3`."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    setattr(bpy.types.Scene, names.SCENE_SETTINGS, PointerProperty(type=SceneSettings))
    setattr(bpy.types.WindowManager, names.SCENE_SETTINGS, PointerProperty(type=SessionNotice))
    bpy.app.handlers.load_post.append(_forget_failure)


def unregister() -> None:
    """Remove both; the values of scenes stay in the file."""
    bpy.app.handlers.load_post.remove(_forget_failure)
    delattr(bpy.types.WindowManager, names.SCENE_SETTINGS)
    delattr(bpy.types.Scene, names.SCENE_SETTINGS)
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is asked to do: the only list of options.

Runs in both processes; the panel, the command line and the tests fill it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from .errors import EngineError, ErrorCode
from .models import DEFAULT_MODEL, Capability, get_model
from .models import MODELS as CATALOGUE

INPUT_KINDS: Final = ("AUTO", "PHOTOS", "SEQUENCE", "VIDEO")
CAMERA_SOLVERS: Final = ("AUTO", "DA3", "COLMAP", "TRIPOD")
MODELS: Final = tuple(CATALOGUE)
DEVICES: Final = ("auto", "cpu", "cuda", "mps")
PRECISIONS: Final = ("auto", "float32", "bfloat16", "float16")
RESIZE_METHODS: Final = (
    "upper_bound_resize",
    "lower_bound_resize",
    "upper_bound_crop",
    "lower_bound_crop",
)
REFERENCE_VIEWS: Final = ("saddle_balanced", "saddle_sim_range", "first", "middle")
MATCHING: Final = ("AUTO", "EXHAUSTIVE", "SEQUENTIAL")
LENS_MODELS: Final = (
    "SIMPLE_RADIAL",
    "SIMPLE_PINHOLE",
    "PINHOLE",
    "RADIAL",
    "OPENCV",
    "SIMPLE_DIVISION",
    "DIVISION",
)
REFINE_FOCAL: Final = ("SHARED", "FIXED", "ZOOM")
CHUNK_METHODS: Final = ("FRAME_GRAPH", "RELEASE")
WORLD_UP: Final = ("AVERAGE", "FIRST_CAMERA", "NONE")
KEYFRAMES: Final = ("OFF", "AUTO", "COUNT")

# name of a setting -> what it may be
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "input_kind": INPUT_KINDS,
    "cameras": CAMERA_SOLVERS,
    "model": MODELS,
    "device": DEVICES,
    "precision": PRECISIONS,
    "resize_method": RESIZE_METHODS,
    "reference_view": REFERENCE_VIEWS,
    "matching": MATCHING,
    "lens_model": LENS_MODELS,
    "refine_focal": REFINE_FOCAL,
    "world_up": WORLD_UP,
    "keyframes": KEYFRAMES,
    "chunk_method": CHUNK_METHODS,
}
# name -> (smallest, largest) allowed value
_LIMITS: Final[dict[str, tuple[float, float]]] = {
    "frame_step": (1, 100_000),
    "target_fps": (0.0, 1000.0),
    "keyframe_count": (2, 1_000_000),
    "keyframe_motion": (0.005, 0.5),
    "process_resolution": (56, 4096),
    "max_features": (256, 65_536),
    "refine_features": (256, 65_536),
    "max_photo_side": (320, 16_384),
    "drop_percent": (0.0, 99.0),
    "edge_step": (0.0, 1.0),
    "max_points": (1, 200_000_000),
    "least_views": (1, 25),
    "max_splats": (1, 200_000_000),
    "chunk_frames": (0, 10_000),
}


@dataclass(frozen=True)
class RunSettings:
    """Everything that decides the result of one run.

    Args:
        inputs: absolute paths: one folder, one video, or the files themselves.
        output: folder for the result; it must be absent, empty, or hold an older result.
        input_kind: one of INPUT_KINDS; AUTO takes numbered neighbours for a sequence only
            when all names differ in nothing but one number and `inputs` asks for it.
        frame_start: first frame number of a sequence or video to use; None is the first.
        frame_end: last frame number to use, inclusive; None is the last.
        frame_step: use every n-th frame.
        target_fps: frames per second of video to use; 0 means `frame_step` decides.
        keyframes: which of these frames are looked at for depth: OFF is all, AUTO those far enough
            from each other and sharp, COUNT so many as `keyframe_count` says.
        keyframe_count: wished number.
        keyframe_motion: share of the picture's diagonal by which the picture moves from one to the
            next, for AUTO; there is one each second at least.
        pose_between: the frames between keyframes get cameras too, but no points.
        cameras: who finds the cameras; AUTO is DA3 where a checkpoint can be had, else COLMAP.
            TRIPOD is for a camera that stands still, or nearly, and turns: refining finds how.
        model: one of MODELS.
        checkpoint: file or folder with the weights; "" looks in the Hugging Face cache.
        may_download: whether the weights may be fetched from the Hugging Face hub.
        device: one of DEVICES.
        precision: number format of the network's backbone; auto is exact on a processor, and
            bfloat16 or float16 on a graphics card.
        compile_network: let torch.compile have the network's blocks: faster on some graphics
            cards after up to a minute; needs a compiler on the machine, else nothing changes.
        process_resolution: pixels of the longest (or shortest) side that the network sees; see
            `network_resolution`.
        resize_method: one of RESIZE_METHODS.
        reference_view: one of REFERENCE_VIEWS.
        use_ray_pose: cameras from the ray map in place of the camera decoder.
        measure_scale: bring the result to metres with DA3METRIC-LARGE, where its weights are on
            this machine.
        matching: which photo pairs COLMAP compares; AUTO is sequential for ordered input of
            more than 60 frames.
        shared_lens: all photos (of one size and camera) were taken with one lens.
        known_cameras: file or folder with cameras that one has; they are taken as they are, and
            views without one are left out; "" is none. See docs/matchmove.md.
        lens_model: COLMAP camera model of the photos.
        refine: refine the cameras, whoever found them, with points of the full-size pictures.
        refine_focal: SHARED is one unknown focal length for each lens, FIXED leaves it as it
            is, ZOOM is a smooth curve over the frames.
        refine_distortion: also find the distortion that `lens_model` has.
        refine_principal_point: also find where the optical axis meets the picture.
        refine_features: SIFT features per picture for that.
        use_focal_prior: start from the focal length in the photos' EXIF data.
        max_features: SIFT features per photo.
        max_photo_side: pixels; larger photos are reduced for the feature search.
        world_up: how the world is turned upright.
        square_pixels: fx = fy for cameras that a network guessed.
        drop_percent: share of the least confident depth pixels that make no points.
        edge_step: pixels whose depth steps by more than this share to a neighbour are dropped;
            0 keeps all.
        max_points: upper bound for the cloud.
        least_views: points on which fewer views agree are left out; up to 25 are asked.
        masks: folder of pictures named like the photos or frames that mark what makes no points;
            "" is none. Transparent parts of the pictures count without it.
        masks_inverted: white is left out in place of black.
        make_splats: also take the Gaussians of a model that makes them.
        max_splats: upper bound for the Gaussians; photos are left out where all give more.
        chunk_frames: sequences and videos with more frames than this go through the network in
            overlapping chunks of this size, and memory does not grow with their length; 0 lets
            it see all frames at once.
        chunk_method: how chunks are joined: FRAME_GRAPH is ours (docs/streaming.md); RELEASE
            repeats DA3-Streaming with its half overlap, to compare both.
        seed: of everything random.
        check_photos: look for blurred, doubled and foreign photos first, and say so in notes.
        reuse: results folder whose cameras and depth are used again; "" begins from nothing.
            Without `only_views` no network runs: the cloud is made again from the depth maps.
        only_views: names of views of `reuse` for which the network runs again; the rest stays.
        renew_cameras: also place the cameras of `only_views` again.
    """

    inputs: tuple[str, ...]
    output: str
    input_kind: str = "AUTO"
    frame_start: int | None = None
    frame_end: int | None = None
    frame_step: int = 1
    target_fps: float = 0.0
    keyframes: str = "OFF"
    keyframe_count: int = 100
    keyframe_motion: float = 0.05
    pose_between: bool = True
    cameras: str = "AUTO"
    model: str = DEFAULT_MODEL
    checkpoint: str = ""
    may_download: bool = False
    device: str = "auto"
    precision: str = "auto"
    compile_network: bool = False
    process_resolution: int = 504
    resize_method: str = "upper_bound_resize"
    reference_view: str = "saddle_balanced"
    use_ray_pose: bool = False
    measure_scale: bool = False
    matching: str = "AUTO"
    shared_lens: bool = True
    known_cameras: str = ""
    lens_model: str = "SIMPLE_RADIAL"
    refine: bool = False
    refine_focal: str = "SHARED"
    refine_distortion: bool = True
    refine_principal_point: bool = False
    refine_features: int = 4096
    use_focal_prior: bool = True
    max_features: int = 8192
    max_photo_side: int = 2400
    world_up: str = "AVERAGE"
    square_pixels: bool = True
    drop_percent: float = 40.0
    edge_step: float = 0.05
    max_points: int = 1_000_000
    least_views: int = 1
    masks: str = ""
    masks_inverted: bool = False
    make_splats: bool = False
    max_splats: int = 2_500_000
    chunk_frames: int = 120
    chunk_method: str = "FRAME_GRAPH"
    seed: int = 0
    check_photos: bool = True
    reuse: str = ""
    only_views: tuple[str, ...] = ()
    renew_cameras: bool = False

    @property
    def network_resolution(self) -> int:
        """Return `process_resolution`, or less for a model that sees worse with so many pixels."""
        return get_model(self.model).limit_resolution(self.process_resolution)

    @property
    def is_tripod(self) -> bool:
        """Whether nobody looks for cameras: they stand still until refining says how they turn."""
        return self.cameras == "TRIPOD" and not self.known_cameras

    def problems(self) -> list[str]:
        """Return one sentence per choice that cannot work; an empty list means go."""
        found: list[str] = []
        if not self.inputs:
            found.append("No input: choose a folder of photos, photo files or a video.")
        if not self.output:
            found.append("No output: choose a folder for the result.")
        if self.only_views and not self.reuse:
            found.append("Single views can only be run again in a result that exists.")
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                found.append(
                    f"The setting {name} is {value!r}; choose one of {', '.join(allowed)}."
                )
        found += self._find_model_problems()
        for name, (smallest, largest) in _LIMITS.items():
            value = getattr(self, name)
            if not smallest <= value <= largest:
                found.append(f"The setting {name} is {value}; choose {smallest:g} to {largest:g}.")
        if (
            self.frame_start is not None
            and self.frame_end is not None
            and self.frame_end < self.frame_start
        ):
            found.append(
                f"The last frame ({self.frame_end}) comes before the first ({self.frame_start})."
            )
        return found

    def _find_model_problems(self) -> list[str]:
        found: list[str] = []
        model = CATALOGUE.get(self.model)
        if model is None:
            return found
        if self.cameras == "DA3" and not model.can(Capability.CAMERAS):
            found.append(
                f"The model {model.title} finds no cameras; take another model, or COLMAP for "
                "the cameras."
            )
        if self.make_splats and not model.can(Capability.GAUSSIANS):
            found.append(
                f"The model {model.title} makes no Gaussian splats; take Giant or Nested, or turn "
                "splats off."
            )
        return found

    def check(self) -> None:
        """Raise for the first problem.

        Raises:
            EngineError: SETTINGS_INVALID.
        """
        found = self.problems()
        if found:
            raise EngineError(
                ErrorCode.SETTINGS_INVALID, found[0], "Change the setting and run again."
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a message or a manifest."""
        lists = {"inputs": list(self.inputs), "only_views": list(self.only_views)}
        return asdict(self) | lists

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunSettings:
        """Build settings from a message.

        Raises:
            EngineError: SETTINGS_INVALID; a name is unknown or a value has the wrong type.
        """
        known = {field.name: field for field in fields(cls)}
        unknown = sorted(set(data) - set(known))
        if unknown:
            raise EngineError(
                ErrorCode.SETTINGS_INVALID,
                f"The engine does not know the settings {', '.join(unknown)}.",
                "Use the same version of the extension and its engine.",
            )
        try:
            values: dict[str, Any] = {**data, "inputs": tuple(str(p) for p in data["inputs"])}
            values["only_views"] = tuple(str(name) for name in data.get("only_views", ()))
            settings = cls(**values)
            settings.problems()  # compares numbers, so a wrong type shows here
        except (KeyError, TypeError) as error:
            raise EngineError(
                ErrorCode.SETTINGS_INVALID,
                f"The settings of the run are incomplete or of a wrong type ({error}).",
                "Use the same version of the extension and its engine.",
            ) from error
        return settings

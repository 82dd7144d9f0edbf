# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choices of the scene for cameras that one has, and for refining cameras.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from . import choices


class RefineChoices:
    """A part of the scene's settings."""

    known_cameras: StringProperty(
        name="Known Cameras",
        description=(
            "File or folder with the cameras of this shot: ours, COLMAP, transforms.json, .chan, "
            ".nk; they are taken as they are. Use Selected Cameras writes one"
        ),
        subtype="FILE_PATH",
    )
    refine: BoolProperty(
        name="Refine",
        description=(
            "Make the cameras hold to the pixel: points of the full-size pictures are followed "
            "and cameras, lens and depth are adjusted to them"
        ),
        default=False,
    )
    refine_focal: EnumProperty(
        name="Focal Length",
        description="What refining may change about the focal length",
        items=choices.REFINE_FOCAL,
    )
    refine_distortion: BoolProperty(
        name="Distortion",
        description="Also find the distortion that the lens model has",
        default=True,
    )
    refine_principal_point: BoolProperty(
        name="Principal Point",
        description="Also find where the optical axis meets the picture: only for cropped plates",
        default=False,
    )
    refine_features: IntProperty(
        name="Points per Picture",
        description="Features to follow in each picture",
        default=4096,
        min=256,
        max=65_536,
    )

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of this machine: the engine, the weights, downloads.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy.types import AddonPreferences, Context

from .setup_box import draw_setup, draw_upkeep
from .setup_options import SetupOptions

_PRECISIONS = (
    ("auto", "Automatic", "Exact on a processor, bfloat16 or float16 on a graphics card"),
    ("float32", "float32", "Exact, slower on a graphics card"),
    ("bfloat16", "bfloat16", "Fast on new processors too; depth differs by about 0.1 %"),
    ("float16", "float16", "For graphics cards before the RTX 30 series"),
)
_DEVICES = (
    ("auto", "Automatic", "The GPU if the engine can use one, else the processor"),
    ("cpu", "Processor", "Works everywhere, slower"),
    ("cuda", "CUDA", "NVIDIA cards, and AMD cards with ROCm"),
    ("mps", "Metal", "Apple silicon"),
)


class DA3_AddonPreferences(SetupOptions, AddonPreferences):
    """What is the same for all scenes and files of this user."""

    bl_idname = __package__.rpartition(".")[0]

    checkpoint: StringProperty(
        name="Weights",
        description=(
            "File or folder with the weights of Depth Anything 3; "
            "empty looks in the Hugging Face cache"
        ),
        subtype="FILE_PATH",
    )
    allow_downloads: BoolProperty(
        name="Allow Downloads",
        description=(
            "Let a run fetch missing weights from the Hugging Face hub, of models that allow any "
            "use; the others are downloaded with their own button, which shows the licence"
        ),
        default=False,
    )
    commercial_only: BoolProperty(
        name="Commercial Use Only",
        description=(
            "Hide the models whose licence forbids commercial use (Large, Giant, Nested), "
            "and refuse runs with them"
        ),
        default=False,
    )
    device: EnumProperty(name="Compute on", description="Where the network runs", items=_DEVICES)
    precision: EnumProperty(
        name="Precision",
        description="Number format of the network's backbone",
        items=_PRECISIONS,
    )
    compile_network: BoolProperty(
        name="Compile the Network",
        description=(
            "Faster on some graphics cards, after up to a minute for each new number of photos; "
            "needs a C compiler on this machine, without one nothing changes"
        ),
        default=False,
    )

    def draw(self, context: Context) -> None:
        """Show the engine, the settings, and why downloads may be off."""
        layout = self.layout
        layout.use_property_split = True
        draw_setup(layout, context)
        draw_upkeep(layout)
        self.draw_setup_options(layout)
        layout.separator()
        layout.prop(self, "device")
        layout.prop(self, "precision")
        layout.prop(self, "compile_network")
        layout.prop(self, "checkpoint")
        layout.prop(self, "commercial_only")
        row = layout.row()
        row.enabled = bpy.app.online_access
        row.prop(self, "allow_downloads")
        if not bpy.app.online_access:
            fixed = bpy.app.online_access_override
            where = "was turned off when Blender was started" if fixed else "is off, see System"
            layout.label(text=f"Online access {where}", icon="INFO")

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the preferences that says how the engine is set up.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy.types import Context, UILayout

from ..da3_blender.client.engine_setup import refresh_status
from ..da3_blender.contract import setup_request as request

_BASE_PACKAGE = __package__.rpartition(".")[0]
_SOURCES = (
    (request.ONLINE, "Internet", "Download the packages that are not here yet"),
    (request.FOLDER, "Folder", "Take all packages from a folder; nothing is downloaded"),
)
_PYTHONS = (
    (
        request.PYTHON_AUTO,
        "Automatic",
        "One of its own if that can be had, else Blender's, else one of this system",
    ),
    (request.PYTHON_MANAGED, "Its Own", "Downloaded for the engine (35 MB)"),
    (request.PYTHON_BLENDER, "Blender's", "Needs Repair when this Blender is removed or moved"),
    (request.PYTHON_CHOSEN, "Chosen", "Python 3.11, 3.12 or 3.13 on this computer"),
)
_BUILDS = (
    (request.BACKEND_AUTO, "Automatic", "For the graphics card if its driver allows, else small"),
    (request.BACKEND_CPU, "Processor", "The small build, also where there is a graphics card"),
)


def _look_again(self: "SetupOptions", _context: Context) -> None:
    self.refresh_engine()


class SetupOptions:
    """Properties of the preferences; this class is mixed into them."""

    engine_python: StringProperty(
        name="Own Environment",
        description=(
            "Python of an environment of yours with the engine's libraries, or the environment's "
            "folder; empty takes what Set Up makes"
        ),
        subtype="FILE_PATH",
        update=_look_again,
    )
    engine_folder: StringProperty(
        name="Engine Folder",
        description=(
            "Where Set Up puts the engine, 1 to 7 GB; empty: the extension's own folder. "
            "Several Blenders can share one"
        ),
        subtype="DIR_PATH",
        update=_look_again,
    )
    packages_source: EnumProperty(
        name="Packages from", description="Where Set Up finds the engine's packages", items=_SOURCES
    )
    packages_folder: StringProperty(
        name="Folder",
        description="Folder with all packages, for computers that may not go online",
        subtype="DIR_PATH",
    )
    python_source: EnumProperty(
        name="Python", description="Which Python the engine is made with", items=_PYTHONS
    )
    python_path: StringProperty(
        name="Interpreter",
        description="Program of a Python 3.11, 3.12 or 3.13",
        subtype="FILE_PATH",
    )
    torch_build: EnumProperty(
        name="Torch for", description="Which build of torch is installed", items=_BUILDS
    )
    default_index: StringProperty(
        name="Package Index", description="In place of the public index (PyPI): address of a mirror"
    )
    extra_index: StringProperty(
        name="Extra Index", description="Address of an index that is asked first"
    )
    torch_index: StringProperty(
        name="Torch Index", description="Address of an index with builds of torch, a mirror"
    )
    python_mirror: StringProperty(
        name="Python Mirror", description="Address of a mirror of uv's builds of Python"
    )
    show_setup: BoolProperty(
        name="Set-up Options", description="Folders, mirrors and Python of the engine"
    )

    def find_engine_folder(self) -> Path:
        """Return the folder of the engine, made or not."""
        if self.engine_folder.strip():
            return Path(bpy.path.abspath(self.engine_folder.strip()))
        return Path(bpy.utils.extension_path_user(_BASE_PACKAGE, path=""))

    def refresh_engine(self) -> None:
        """Look at the disk again; panels show what was found."""
        own = self.engine_python.strip()
        refresh_status(self.find_engine_folder(), bpy.path.abspath(own) if own else "")

    def draw_source(self, layout: UILayout) -> None:
        """Draw where packages come from."""
        layout.row().prop(self, "packages_source", expand=True)
        if self.packages_source == request.FOLDER:
            layout.prop(self, "packages_folder")

    def draw_setup_options(self, layout: UILayout) -> None:
        """Draw everything else that decides a set-up, folded away."""
        header = layout.row()
        header.use_property_split = False
        header.alignment = "LEFT"
        icon = "DOWNARROW_HLT" if self.show_setup else "RIGHTARROW"
        header.prop(self, "show_setup", icon=icon, emboss=False)
        if not self.show_setup:
            return
        column = layout.column()
        column.prop(self, "engine_folder")
        self.draw_source(column)
        column.prop(self, "torch_build")
        column.prop(self, "python_source")
        if self.python_source == request.PYTHON_CHOSEN:
            column.prop(self, "python_path")
        if self.packages_source == request.ONLINE:
            mirrors = column.column(align=True)
            for name in ("default_index", "extra_index", "torch_index", "python_mirror"):
                mirrors.prop(self, name)
        column.prop(self, "engine_python")

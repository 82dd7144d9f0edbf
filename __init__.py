# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DA3 Reconstruction: photos and video to cameras and points.

Runs in Blender, as an extension. Nothing is imported before register(): tests import this file
without Blender.
"""


def register() -> None:
    """Add everything to Blender; a second call in a row starts afresh."""
    from . import operators, panels
    from .da3_blender import scene

    if scene.is_registered():
        unregister()
    scene.register()
    operators.register()
    panels.register()


def unregister() -> None:
    """Remove everything, in reverse."""
    from . import operators, panels
    from .da3_blender import scene

    panels.unregister()
    operators.unregister()
    scene.unregister()

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the network again for the selected cameras of a reconstruction.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty
from bpy.types import Context, Event, Object, Operator

from ..da3_blender.client.session import current_job
from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.contract.models import get_model
from ..da3_blender.contract.result_folder import load_result
from ..da3_blender.scene.lookup import find_root, list_cameras, locate_result
from ..da3_blender.scene.properties import clear_failure
from ..da3_blender.scene.settings_from_scene import make_reuse_settings
from .extension import get_preferences
from .failures import report_failure
from .run_job import run_settings


class DA3_OT_rerun_views(Operator):
    """Renew depth, and the cameras on request, of some views; all others stay as they are."""

    bl_idname = names.OP_RERUN_VIEWS
    bl_label = "Re-run Selected Views"
    bl_description = (
        "Run the chosen model again for the selected cameras, together with neighbours that "
        "stay as they are; then build the new points"
    )
    bl_options = {"REGISTER"}  # noqa: RUF012 - Blender wants a set

    renew_cameras: BoolProperty(
        name="Place Cameras Again",
        description="Also find the place and the lens of the selected cameras again",
        default=True,
    )
    wait: BoolProperty(
        name="Wait",
        description="Return when the scene is built; always so without a window",
        default=False,
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need selected cameras of a reconstruction that has depth, and no run in progress."""
        job = current_job()
        root = find_root(context)
        if job is not None and not job.is_over:
            cls.poll_message_set("A run is in progress: wait for it or cancel it")
        elif root is None or not _list_selected(context, root):
            cls.poll_message_set("Select cameras of a reconstruction first")
        elif not root.get(names.PROP_FACTS, {}).get("has_depth"):
            cls.poll_message_set("This result has no depth: it was made by COLMAP alone")
        else:
            return True
        return False

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Ask whether the cameras are to move, too."""
        facts = find_root(context).get(names.PROP_FACTS, {})
        # Cameras of COLMAP are more exact than those of a network.
        self.renew_cameras = "COLMAP" not in str(facts.get("solver", ""))
        return context.window_manager.invoke_props_dialog(self, confirm_text="Run")

    def draw(self, context: Context) -> None:
        """Show what will be run."""
        count = len(_list_selected(context, find_root(context)))
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        title = get_model(settings.model).title
        self.layout.label(text=f"{count} views, with the model {title}")
        self.layout.prop(self, "renew_cameras")

    def execute(self, context: Context) -> set[str]:
        """Start the run; the timer builds these views when it is done."""
        clear_failure(context.window_manager)
        root = find_root(context)
        views = tuple(str(ob[names.PROP_IMAGE]) for ob in _list_selected(context, root))
        try:
            result = load_result(locate_result(root))
            settings = make_reuse_settings(
                context.scene,
                get_preferences(context),
                result,
                only_views=views,
                renew_cameras=self.renew_cameras,
            )
            return run_settings(self, context, settings, waits=self.wait)
        except EngineError as error:
            return report_failure(self, context, error)


def _list_selected(context: Context, root: Object) -> list[Object]:
    chosen = {ob.name for ob in context.selected_objects}
    return [ob for ob in list_cameras(root) if ob.name in chosen and _is_still(ob)]


def _is_still(ob: Object) -> bool:
    frame = ob.get(names.PROP_FRAME)
    return frame is None or isinstance(frame, int)

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender of its own that starts a run of the extension, for tests of how it ends.

Runs in a sub-process with the bpy wheel; its argument is a JSON object.
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path

import bpy

ROOT = Path(__file__).resolve().parents[2]
MODULE = "bl_ext.user_default.da3_reconstruction"


def enable() -> None:
    """Enable the working tree as an extension of this user folder."""
    import addon_utils  # bpy adds its folder to the path

    repository = next(
        r for r in bpy.context.preferences.extensions.repos if r.module == "user_default"
    )
    folder = Path(repository.directory)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "da3_reconstruction").is_symlink():
        try:
            (folder / "da3_reconstruction").symlink_to(ROOT, target_is_directory=True)
        except FileExistsError:  # the other Blender was quicker
            sys.stdout.write("linked by another Blender\n")
    addon_utils.extensions_refresh(ensure_wheels=False)
    addon_utils.enable(MODULE, default_set=True)


def say(name: str, value: object) -> None:
    """Print one fact for the test."""
    sys.stdout.write(f"{name}: {value}\n")
    sys.stdout.flush()


def main() -> None:
    """Start the run and end as asked."""
    facts = json.loads(sys.argv[1])
    enable()
    load = lambda name: importlib.import_module(f"{MODULE}.{name}")  # noqa: E731
    parts = load("operators.extension")
    preferences = parts.get_preferences(bpy.context)
    preferences.engine_python = facts["engine"]
    chosen = bpy.context.scene.da3
    chosen.input_path, chosen.output_folder = facts["input"], facts["output"]
    make = load("da3_blender.scene.settings_from_scene").make_run_settings
    settings = make(bpy.context.scene, preferences, parts.get_user_folder())
    client = load("operators.engine_access").connect(preferences.engine_python)
    job = client.start_job(settings)
    timer = load("operators.job_timer")
    uid = bpy.context.scene.session_uid
    is_told = False
    while timer.follow_job(job.id, uid) is not None:
        if job.stage and not is_told:
            is_told = True
            say("worker", client.worker_pid)
            if facts["then"] == "disable":
                import addon_utils

                addon_utils.disable(MODULE, default_set=True)
                say("disabled", MODULE not in bpy.context.preferences.addons)
                sys.exit(0 if timer.follow_job(job.id, uid) is None else 1)
            if facts["then"] == "quit":
                bpy.ops.wm.quit_blender()
            if facts["then"] in ("quit", "exit"):
                sys.exit(0)
        time.sleep(0.02)
    if job.error is not None:
        say("error", job.error)
        os._exit(1)
    say("result", job.summary["folder"])


if __name__ == "__main__":
    main()

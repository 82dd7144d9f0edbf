# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension comes and goes without a trace, and everything in it is explained."""

import importlib

import pytest

bpy = pytest.importorskip("bpy")

MODULE = "bl_ext.user_default.da3_reconstruction"
OPERATORS = (
    *("reconstruct", "cancel", "choose_folder", "choose_files", "build_scene", "look_through"),
    *("copy_report", "open_result", "open_preferences", "dismiss", "download_model"),
    *("refresh_models", "remove_model", "set_quality", "check_photos", "leave_out", "finish"),
    *("rebuild", "rerun_views", "select_doubtful", "step_camera", "show_parts"),
    *("drop_files", "use_clip"),
    *("install_engine", "check_engine", "repair_engine", "remove_engine"),
    *("cancel_setup", "dismiss_setup"),
    *("import_splats", "export_splats", "crop_splats"),
    *("find_floaters", "decimate_splats", "turn_splats", "splats_to_points", "proxy_mesh"),
    *("add_flight", "render_flight"),
)
PANELS = (
    "main",
    "result",
    "models",
    "cameras_model",
    "sequence",
    "points",
    "scene",
    "splats",
    "flight",
)


def list_ours():
    kinds = (bpy.types.Operator, bpy.types.Panel, bpy.types.PropertyGroup)
    kinds += (bpy.types.AddonPreferences,)
    return {
        cls.__name__
        for kind in kinds
        for cls in kind.__subclasses__()
        if MODULE in cls.__module__ and cls.is_registered
    }


def count_handlers():
    handlers = bpy.app.handlers
    kinds = ("load_post", "undo_post", "redo_post", "depsgraph_update_post")
    return {kind: len(getattr(handlers, kind)) for kind in kinds}


def test_everything_is_there(extension):
    for name in OPERATORS:
        assert bpy.types.Operator.bl_rna_get_subclass_py(f"DA3_OT_{name}") is not None
    for name in PANELS:
        assert bpy.types.Panel.bl_rna_get_subclass_py(f"DA3_PT_{name}") is not None


def test_registering_twice_works(extension):
    root = importlib.import_module(MODULE)
    before, handlers = list_ours(), count_handlers()
    root.register()
    assert list_ours() == before
    assert count_handlers() == handlers
    root.unregister()
    root.register()
    assert list_ours() == before
    assert count_handlers() == handlers


def test_nothing_is_left_after_unregister(extension):
    root = importlib.import_module(MODULE)
    handlers = count_handlers()
    root.unregister()
    assert list_ours() == set()
    assert not hasattr(bpy.types.Scene, "da3")
    assert not hasattr(bpy.types.WindowManager, "da3")
    left = {kind: handlers[kind] - count for kind, count in count_handlers().items()}
    assert left == {"load_post": 4, "undo_post": 2, "redo_post": 2, "depsgraph_update_post": 2}
    root.register()


def test_every_choice_is_explained(scene):
    own = [p for p in scene.da3.bl_rna.properties if p.identifier not in ("rna_type", "name")]
    own += [
        p for p in scene.da3.flight.bl_rna.properties if p.identifier not in ("rna_type", "name")
    ]
    assert len(own) > 30
    for choice in own:
        assert choice.name, choice.identifier
        assert choice.description, choice.identifier
        for item in getattr(choice, "enum_items", ()):
            assert item.description, (choice.identifier, item.identifier)


def test_every_operator_says_what_one_gets(extension):
    for name in OPERATORS:
        operator = bpy.types.Operator.bl_rna_get_subclass_py(f"DA3_OT_{name}")
        assert len(operator.bl_description) > 20
        for choice in getattr(bpy.ops.da3, name).get_rna_type().properties:
            shown = not (choice.is_hidden or choice.identifier == "rna_type")
            assert choice.description or not shown, (name, choice.identifier)


def test_sub_panels_are_closed_in_our_tab(extension):
    main = bpy.types.Panel.bl_rna_get_subclass_py("DA3_PT_main")
    assert main.bl_category == "DA3"
    for name in PANELS[1:]:
        panel = bpy.types.Panel.bl_rna_get_subclass_py(f"DA3_PT_{name}")
        assert panel.bl_parent_id == "DA3_PT_main"
        # The result shows itself only where there is one.
        assert ("DEFAULT_CLOSED" in getattr(panel, "bl_options", ())) == (name != "result")


def test_every_remedy_is_an_operator_that_exists(extension):
    status = extension("panels.status")
    codes = extension("da3_blender.contract.errors").ErrorCode
    remedies = [status.find_remedy(code) for code in codes]
    assert sum(remedy is not None for remedy in remedies) > 10
    for remedy in remedies:
        if remedy is not None:
            group, name = remedy.operator.split(".")
            assert hasattr(getattr(bpy.ops, group), name)
            assert name in OPERATORS


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (8.4, "8 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3900, "1 h 5 min")],
)
def test_lengths_of_time_are_words(extension, seconds, words):
    assert extension("panels.status").describe_seconds(seconds) == words


@pytest.mark.parametrize("width", [40, 120, 300])
def test_sentences_are_broken_and_nothing_is_lost(extension, width):
    wrapped = extension("panels.wrapped_text")
    text = "The folder /a/very/long/path/without/a/single/space/in/it/at/all cannot be read, 写真."
    lines = wrapped.wrap_text(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(wrapped._measure(line) <= width for line in lines)

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports from a terminal: every format by its name, several at once."""

from da3_blender.cli import EXIT_FAILED, main
from da3_blender.contract.names import EXPORT_FORMATS
from da3_blender.pipeline.export import EXPORTS
from tests.engine.hand_over_results import write_refined_result


def test_every_format_has_a_function_and_words():
    assert set(EXPORTS) == set(EXPORT_FORMATS)


def test_several_formats_get_folders_of_their_own(tmp_path, capsys):
    write_refined_result(tmp_path / "result")
    out = tmp_path / "out"
    arguments = ["export", str(tmp_path / "result"), "--out", str(out), "--formats"]
    assert main([*arguments, "report", "st-maps", "colmap-text"]) == 0
    assert (out / "report" / "report.html").is_file()
    assert (out / "st-maps" / "undistort.exr").is_file()
    assert (out / "colmap-text" / "sparse" / "0" / "points3D.txt").is_file()
    assert capsys.readouterr().out.split("\n")[0] == str(out / "report" / "report.html")


def test_one_format_lies_in_the_folder_itself(tmp_path):
    write_refined_result(tmp_path / "result")
    arguments = ["export", str(tmp_path / "result"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--format", "report"]) == 0
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_lens_without_distortion_has_no_maps(tmp_path, capsys):
    write_refined_result(tmp_path / "result", lens=False)
    arguments = ["export", str(tmp_path / "result"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--format", "st-maps"]) == EXIT_FAILED
    assert "no distortion" in capsys.readouterr().err

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: its numbers are those of the tracks, and it needs nothing from outside."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from da3_blender.exports.report_facts import count_coverage, gather_facts
from da3_blender.exports.report_html import choose_views
from da3_blender.exports.report_pictures import choose_colours, draw_points
from da3_blender.exports.report_plots import Series, choose_ticks, plot_lines
from da3_blender.pipeline.export_report import export_report
from tests.contract.camera_truth import FRAMES, SIZE
from tests.engine.hand_over_results import measure_refinement, write_refined_result


class Page(HTMLParser):
    """Collects tags, and checks that they are closed."""

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "line", "rect", "polyline", "polygon"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in ("rect", "circle") and self.open[-1] != tag:
            return  # a rectangle with a title inside
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read_page(path):
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


def test_the_numbers_are_those_of_the_tracks(tmp_path):
    result, cameras, tracks = write_refined_result(tmp_path / "result")
    facts = gather_facts(result)
    expected = measure_refinement(cameras, tracks)
    for index, view in enumerate(expected["views"]):
        assert facts.errors.mean_px[index] == pytest.approx(view["mean_px"], abs=1e-3)
        assert facts.errors.worst_px[index] == pytest.approx(view["worst_px"], abs=1e-3)
        assert facts.errors.points[index] == view["points"]
    assert facts.x.tolist() == list(FRAMES)
    assert facts.focal_sigma_px.tolist() == [0.7] * 5
    coverage = count_coverage(tracks, cameras)
    assert coverage.sum() == len(tracks.view)
    assert coverage.shape == (18, 24)


def test_the_report_is_one_file_that_needs_nothing(tmp_path):
    result, _, tracks = write_refined_result(tmp_path / "result")
    result.views[2]["doubt"] = "few <points>"
    path = export_report(result, tmp_path / "out")
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["report.html"]
    page = read_page(path)
    text = path.read_text(encoding="utf-8")
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe")
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "url(" not in text
    assert "http" not in text
    assert "prefers-color-scheme:dark" in text
    words = " ".join(page.text)
    mean = gather_facts(result).reprojection.error_px.mean()
    assert f"{mean:.2f} px" in words
    assert f"{len(tracks.view):,}" in words
    assert "shot & co" in words
    assert "few <points>" in words
    assert len([tag for tag, _ in page.tags if tag == "svg"]) == 4
    assert "± 0.7" in words


def test_pictures_have_crosses_where_the_points_fall(tmp_path):
    result, _, _ = write_refined_result(tmp_path / "result", lens=True)
    page = read_page(export_report(result, tmp_path / "out"))
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == len(FRAMES)
    data = base64.b64decode(images[0]["src"].partition("base64,")[2])
    assert Image.open(io.BytesIO(data)).size == SIZE


def test_crosses_have_the_colours_of_their_errors():
    plain = np.zeros((480, 640, 3), np.uint8)
    uri = draw_points(plain, SIZE, np.array([[100.5, 50.5], [500.5, 400.5]]), np.array([0.0, 9.0]))
    picture = np.array(
        Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))).convert("RGB")
    ).astype(int)
    bright = picture.max(axis=-1) > 90
    good, bad = bright[:240], bright[240:]
    rows, columns = np.nonzero(good)
    assert abs(rows.mean() - 50) < 1
    assert abs(columns.mean() - 100) < 1
    rows, columns = np.nonzero(bad)
    assert abs(rows.mean() + 240 - 400) < 1
    assert abs(columns.mean() - 500) < 1
    assert picture[50, 97:104, 1].mean() > picture[50, 97:104, 0].mean()
    assert picture[400, 497:504, 0].mean() > picture[400, 497:504, 1].mean()
    assert (choose_colours(np.array([0.0, 2.0, 99.0]))[1:] == choose_colours(np.array([5.0]))).all()


def test_lines_have_gaps_and_stay_on_the_paper():
    x = np.arange(10.0)
    y = np.array([1, 2, 3, np.nan, np.nan, 5, 6, np.nan, 100, 3])
    svg = plot_lines(x, [Series("a", "first", y, np.full(10, 0.5))], "px")
    runs = re.findall(r'<polyline[^>]*points="([^"]*)"', svg)
    assert [len(run.split()) for run in runs] == [3, 2, 2]
    assert svg.count("<polygon") == 3
    numbers = [float(n) for run in runs for pair in run.split() for n in pair.split(",")]
    assert min(numbers) >= 0
    assert max(numbers[1::2]) <= 220
    assert plot_lines(x, [Series("a", "first", np.full(10, np.nan))], "px") == ""


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 0.013), (3, 3), (-5, 7), (650, 1234567)])
def test_ticks_enclose_the_values(low, high):
    ticks = choose_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 2 <= len(ticks) <= 7


def test_a_result_without_tracks_or_pictures_has_a_report_too(tmp_path):
    result, _, _ = write_refined_result(tmp_path / "result")
    for name in ("track_points", "observation_px"):
        del result.manifest["arrays"][name]
    for path in (tmp_path / "plate").iterdir():
        path.unlink()
    words = " ".join(read_page(export_report(result, tmp_path / "out")).text)
    assert "There are no pictures" in words
    assert "Reprojection error" in words
    facts = gather_facts(result)
    assert facts.errors.mean_px.tolist() == pytest.approx([0.2, 0.21, 0.22, 0.23, 0.24])
    assert choose_views(facts) == [0, 1, 2, 3, 4]


def test_a_result_that_nobody_measured_has_a_report_of_what_there_is(tmp_path):
    result, _, _ = write_refined_result(tmp_path / "result")
    for name in ("track_points", "observation_px"):
        del result.manifest["arrays"][name]
    result.manifest["refinement"] = None
    for view in result.views:
        del view["residual_px"]
    page = read_page(export_report(result, tmp_path / "out"))
    assert "Focal length" in " ".join(page.text)
    assert "Reprojection error" not in " ".join(page.text)
    assert len([tag for tag, _ in page.tags if tag == "img"]) == len(FRAMES)

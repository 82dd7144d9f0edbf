# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report of a result as one HTML file that needs nothing else.

Runs in the engine.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ..contract.whole_file import open_whole
from .report_facts import ReportFacts, count_coverage
from .report_pictures import WORST_PX, choose_colours
from .report_plots import Series, format_number, plot_heat, plot_lines
from .report_style import STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SHOWN: Final = 12  # pictures
_MOST_ROWS: Final = 100  # of the table of doubtful views


class ReportPicture(NamedTuple):
    """One picture with crosses: view, and its data URI."""

    view: int
    uri: str


def choose_views(facts: ReportFacts) -> list[int]:
    """Return the views whose pictures a report shows: the worst half, the rest spread evenly."""
    count = len(facts.x)
    worst = np.argsort(-np.nan_to_num(facts.errors.mean_px), kind="stable")[: _SHOWN // 2]
    spread = facts.order[np.linspace(0, count - 1, min(count, _SHOWN // 2)).round().astype(int)]
    chosen = set(worst.tolist()) | set(spread.tolist())
    return [int(view) for view in facts.order if int(view) in chosen]


def write_report(
    path: Path,
    manifest: dict[str, Any],
    facts: ReportFacts,
    pictures: Sequence[ReportPicture],
    notes: Sequence[str] = (),
) -> None:
    """Write the report.

    Args:
        path: of the file.
        manifest: of the result.
        facts: of `gather_facts`.
        pictures: to show.
        notes: what is missing in the report.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    title = str(manifest.get("name") or "Reconstruction")
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}: camera report</title><style>{STYLE}</style></head><body><main>",
        f"<header><h1>{escape(title)}</h1><p>Camera report</p></header>",
        _format_summary(manifest, facts),
        *(f"<p class=note>{escape(note)}</p>" for note in notes),
        *_format_plots(facts),
        _format_doubtful(facts),
        _format_pictures(facts, pictures),
        "</main></body></html>",
    ]
    with open_whole(path) as file:
        file.write("".join(parts).encode())


def _format_summary(manifest: dict[str, Any], facts: ReportFacts) -> str:
    refinement: dict[str, Any] = manifest.get("refinement") or {}
    lost = manifest.get("lost") or []
    view = facts.cameras.views[0]
    tiles = [("cameras", f"{len(facts.x):,}")]
    if lost:
        tiles.append(("not placed", f"{len(lost):,}"))
    if facts.reprojection is not None and facts.tracks is not None:
        error = facts.reprojection.error_px
        tiles += [
            ("mean error", f"{error.mean():.2f} px"),
            ("median error", f"{np.median(error):.2f} px"),
            ("points", f"{len(facts.tracks.points):,}"),
            ("observations", f"{len(error):,}"),
        ]
        start = refinement.get("start_px")
        if start is not None:
            tiles.insert(1, ("error before refining", f"{start:.2f} px"))
    tiles.append(("focal length", _format_focal(facts)))
    lens = facts.cameras.lens_of(0)
    if lens.distortion_px:
        tiles.append((f"distortion, {lens.model}", f"{lens.distortion_px:.1f} px"))
    tiles.append(("picture", f"{view.width} x {view.height}"))
    if facts.cameras.fps:
        tiles.append(("frames per second", format_number(facts.cameras.fps)))
    solver = str(manifest.get("solver") or "")
    if solver:
        tiles.append(("cameras by", solver))
    cells = "".join(
        f"<div class=tile><b>{escape(value)}</b><span>{escape(name)}</span></div>"
        for name, value in tiles
    )
    return f"<section class=tiles>{cells}</section>"


def _format_focal(facts: ReportFacts) -> str:
    low, high = float(facts.focal_px.min()), float(facts.focal_px.max())
    if high - low < 1e-6 * high:
        sigma = facts.focal_sigma_px[0]
        return f"{high:.1f} px" + (f" ± {sigma:.1f}" if np.isfinite(sigma) else "")
    return f"{low:.1f} to {high:.1f} px"


def _format_plots(facts: ReportFacts) -> list[str]:
    order = facts.order
    x, errors = facts.x[order], facts.errors
    x_name = "frame" if facts.is_sequence else "photo"
    mean = Series("mean", "first", errors.mean_px[order])
    worst = Series("worst", "second", errors.worst_px[order])
    both = [series for series in (mean, worst) if np.isfinite(series.y).any()]
    focal = Series("focal length", "first", facts.focal_px[order], facts.focal_sigma_px[order])
    sections = [
        _format_plot("Reprojection error", both, plot_lines(x, both, "px", x_name=x_name)),
        _format_plot(
            "Focal length",
            [focal],
            plot_lines(x, [focal], "px", x_name=x_name, from_zero=False),
            "The band is the uncertainty of one standard deviation."
            if np.isfinite(focal.sigma if focal.sigma is not None else np.nan).any()
            else "",
        ),
    ]
    if facts.tracks is not None:
        points = Series("points", "first", errors.points[order].astype(float))
        sections.append(
            _format_plot(
                f"Points in each {x_name}",
                [points],
                plot_lines(x, [points], "points", x_name=x_name),
            )
        )
        counts = count_coverage(facts.tracks, facts.cameras)
        view = facts.cameras.views[0]
        empty = np.count_nonzero(counts == 0) / counts.size
        sections.append(
            "<section><h2>Where points were seen</h2>"
            f"<p>All pictures together; {empty:.0%} of the cells are empty. Cameras are held best "
            "by points all over the picture.</p>"
            f"{plot_heat(counts, (view.width, view.height), 'observations')}</section>"
        )
    return sections


def _format_plot(title: str, series: Sequence[Series], svg: str, text: str = "") -> str:
    if not svg:
        return ""
    keys = "".join(
        f'<span class=key><i class="{line.style}"></i>{escape(line.name)}</span>'
        for line in series
        if len(series) > 1
    )
    words = f"<p>{escape(text)}</p>" if text else ""
    return f"<section><h2>{escape(title)}</h2>{words}<div class=legend>{keys}</div>{svg}</section>"


def _format_doubtful(facts: ReportFacts) -> str:
    doubtful = [int(view) for view in facts.order if facts.doubt[view]]
    if not doubtful:
        return "<section><h2>Doubtful views</h2><p>None.</p></section>"
    rows = []
    for view in doubtful[:_MOST_ROWS]:
        info, errors = facts.cameras.views[view], facts.errors
        cells = [
            "" if info.frame is None else str(info.frame),
            info.name,
            _format_px(errors.mean_px[view]),
            _format_px(errors.worst_px[view]),
            f"{errors.points[view]:,}" if facts.tracks is not None else "",
            facts.doubt[view],
        ]
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    more = len(doubtful) - len(rows)
    rest = f"<p>And {more} more.</p>" if more else ""
    head = "".join(
        f"<th>{name}</th>" for name in ("Frame", "Name", "Mean", "Worst", "Points", "Why")
    )
    return (
        f"<section><h2>Doubtful views</h2><div class=scroll><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>{rest}</section>"
    )


def _format_px(value: float) -> str:
    return f"{value:.2f} px" if np.isfinite(value) else ""


def _format_pictures(facts: ReportFacts, pictures: Sequence[ReportPicture]) -> str:
    if not pictures:
        return ""
    figures = []
    for picture in pictures:
        info = facts.cameras.views[picture.view]
        words = [info.name]
        if np.isfinite(facts.errors.mean_px[picture.view]):
            words.append(f"mean {_format_px(facts.errors.mean_px[picture.view])}")
        if facts.tracks is not None:
            words.append(f"{facts.errors.points[picture.view]:,} points")
        text = escape(", ".join(words))
        figures.append(
            f'<figure><img src="{picture.uri}" alt="{text}" loading=lazy>'
            f"<figcaption>{text}</figcaption></figure>"
        )
    steps = np.linspace(0, WORST_PX, 5)
    colours = [f"rgb({r},{g},{b})" for r, g, b in choose_colours(steps).tolist()]
    scale = (
        f'<div class=scale><span>0 px</span><i style="background:linear-gradient(90deg,'
        f'{",".join(colours)})"></i><span>{WORST_PX:g} px and more</span></div>'
    )
    return (
        "<section><h2>Points in the pictures</h2><p>Crosses are where the solved points fall; "
        f"their colour is the distance from where the picture shows them.</p>{scale}"
        f"<div class=pictures>{''.join(figures)}</div></section>"
    )

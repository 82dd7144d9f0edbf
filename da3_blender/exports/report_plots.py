# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plots for a report as inline SVG, whose colours come from the page: light and dark.

Runs in the engine.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_WIDTH: Final = 860
_HEIGHT: Final = 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 34
_MOST_DOTS: Final = 240  # more than that would be a line anyway
_TICKS: Final = 4
_MAP_WIDTH: Final = 430


class Series(NamedTuple):
    """One line of a plot.

    name: for the legend; style: class of the page's colours; y: (N,) values, NaN for none;
    sigma: (N,) half width of a band around it, or None.
    """

    name: str
    style: str
    y: NDArray[np.float64]
    sigma: NDArray[np.float64] | None = None


class _Axes(NamedTuple):
    """Where values lie on the paper."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def to_x(self, value: float) -> float:
        span = (self.x_high - self.x_low) or 1.0
        return _LEFT + (value - self.x_low) / span * (_WIDTH - _LEFT - _RIGHT)

    def to_y(self, value: float) -> float:
        span = (self.y_high - self.y_low) or 1.0
        return _HEIGHT - _BOTTOM - (value - self.y_low) / span * (_HEIGHT - _TOP - _BOTTOM)


def plot_lines(
    x: NDArray[np.floating],
    series: Sequence[Series],
    unit: str,
    *,
    x_name: str = "frame",
    from_zero: bool = True,
) -> str:
    """Draw lines over frames, with gaps where there are no values.

    Args:
        x: (N,) frame numbers, rising.
        series: lines to draw.
        unit: of the values.
        x_name: what the numbers below are.
        from_zero: let the axis begin at 0.

    Returns:
        SVG; "" where no line has a value.
    """
    values = [series_values(line) for line in series]
    known = np.concatenate([np.zeros(0), *(v[np.isfinite(v)] for v in values)])
    if not len(known):
        return ""
    low, high = (0.0 if from_zero else float(known.min())), float(known.max())
    ticks = choose_ticks(low, high)
    axes = _Axes(float(x.min()), float(x.max()), min(low, ticks[0]), max(high, ticks[-1]))
    label = f"{', '.join(line.name for line in series)} in {unit} over {x_name}s"
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">']
    parts += _draw_axes(axes, ticks, unit, x_name)
    for line in series:
        parts += _draw_series(axes, x, line, unit, x_name)
    return "".join([*parts, "</svg>"])


def series_values(line: Series) -> NDArray[np.float64]:
    """Return all values that a line and its band reach."""
    if line.sigma is None:
        return line.y
    return np.concatenate([line.y, line.y - line.sigma, line.y + line.sigma])


def choose_ticks(low: float, high: float) -> list[float]:
    """Return round numbers that enclose a range."""
    span = (high - low) or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span / _TICKS))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (factor * step) <= _TICKS)
    first = math.floor(low / step)
    count = math.ceil(high / step - 1e-9) - first
    return [(first + index) * step for index in range(max(count, 1) + 1)]


def format_number(value: float) -> str:
    """Write a number with as many digits as people read."""
    if abs(value) >= 1000 or value == int(value):  # noqa: PLR2004 - digits, no limit of anything
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _draw_axes(axes: _Axes, ticks: Sequence[float], unit: str, x_name: str) -> list[str]:
    parts = []
    for tick in ticks:
        y = axes.to_y(tick)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{format_number(tick)}</text>"
        )
    base = _HEIGHT - _BOTTOM
    for tick in choose_ticks(axes.x_low, axes.x_high):
        if axes.x_low <= tick <= axes.x_high and tick == round(tick):
            x = axes.to_x(tick)
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{base + 16}" text-anchor="middle">'
                f"{tick:.0f}</text>"
            )
    parts.append(
        f'<text class="tick" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}" text-anchor="end">'
        f"{escape(x_name)}</text>"
        f'<text class="tick" x="4" y="{_TOP}" >{escape(unit)}</text>'
    )
    return parts


def _draw_series(
    axes: _Axes, x: NDArray[np.floating], line: Series, unit: str, x_name: str
) -> list[str]:
    parts = []
    known = np.isfinite(line.y)
    runs = np.split(np.arange(len(x)), np.flatnonzero(np.diff(known.astype(int))) + 1)
    for run in runs:
        if not len(run) or not known[run[0]]:
            continue
        if line.sigma is not None and np.isfinite(line.sigma[run]).all():
            around = np.r_[run, run[::-1]]
            sides = np.r_[line.sigma[run], -line.sigma[run[::-1]]]
            band = _join(axes, x[around], line.y[around] + sides)
            parts.append(f'<polygon class="band {line.style}" points="{band}"/>')
        points = _join(axes, x[run], line.y[run])
        parts.append(f'<polyline class="line {line.style}" points="{points}"/>')
    if len(x) <= _MOST_DOTS:
        for index in np.flatnonzero(known).tolist():
            text = f"{x_name} {x[index]:g}: {line.name} {format_number(line.y[index])} {unit}"
            parts.append(
                f'<circle class="dot {line.style}" cx="{axes.to_x(x[index]):.1f}" '
                f'cy="{axes.to_y(line.y[index]):.1f}" r="2.5"><title>{escape(text)}</title>'
                "</circle>"
            )
    return parts


def _join(axes: _Axes, x: NDArray[np.floating], y: NDArray[np.floating]) -> str:
    points = zip(x.tolist(), y.tolist(), strict=True)
    return " ".join(f"{axes.to_x(across):.1f},{axes.to_y(up):.1f}" for across, up in points)


def plot_heat(counts: NDArray[np.integer], size: tuple[int, int], what: str) -> str:
    """Draw how often things fell into the cells of a picture, the fullest cell the strongest.

    Args:
        counts: (rows, columns).
        size: width and height of the picture, for its shape.
        what: of what it tells the number, for people.
    """
    rows, columns = counts.shape
    height = _MAP_WIDTH * size[1] / size[0]
    cell_x, cell_y = _MAP_WIDTH / columns, height / rows
    most = max(int(counts.max()), 1)
    label = f"{what} over the picture, at most {most} in a cell"
    box = f'viewBox="0 0 {_MAP_WIDTH} {height:.1f}"'
    parts = [f'<svg class="heat" {box} role="img" aria-label="{escape(label)}">']
    for row in range(rows):
        for column in range(columns):
            count = int(counts[row, column])
            parts.append(
                f'<rect class="cell" x="{column * cell_x:.2f}" y="{row * cell_y:.2f}" '
                f'width="{cell_x:.2f}" height="{cell_y:.2f}" '
                f'fill-opacity="{math.sqrt(count / most):.3f}">'
                f"<title>{count} {escape(what)}</title></rect>"
            )
    return "".join([*parts, "</svg>"])

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of the table: what was measured, the ratio, the target, and Markdown of them.

Runs in any Python.
"""

from __future__ import annotations

from dataclasses import dataclass

NOT_BUILT = "not built"


@dataclass(frozen=True)
class Row:
    """One line.

    Attributes:
        group: heading of the table it belongs to.
        case: what was done.
        upstream: figure of upstream, with unit.
        ours: figure of ours, with unit; NOT_BUILT where there is nothing to measure.
        ratio: upstream / ours for times; ours / upstream for memory; None if there is none.
        spread: smallest and largest ratio of the rounds, or None.
        target: at least (times), at most (memory), or None.
        is_share: smaller ratios are better.
    """

    group: str
    case: str
    upstream: str
    ours: str
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    target: float | None = None
    is_share: bool = False

    @property
    def verdict(self) -> str:
        """Return "met", "missed" or nothing."""
        if self.target is None or self.ratio is None:
            return ""
        is_met = self.ratio <= self.target if self.is_share else self.ratio >= self.target
        return "met" if is_met else "missed"

    def to_cells(self) -> list[str]:
        """Return the line as text, cell by cell."""
        unit = "" if self.is_share else "x"
        ratio = "" if self.ratio is None else f"**{_round(self.ratio)}{unit}**"
        if self.spread is not None:
            ratio += f" ({_round(self.spread[0])} to {_round(self.spread[1])})"
        sign = "at most " if self.is_share else ""
        target = "" if self.target is None else f"{sign}{self.target:g}{unit}"
        return [self.case, self.upstream, self.ours, ratio, target, self.verdict]


def write_tables(rows: list[Row]) -> str:
    """Return one Markdown table per group, in the order in which the groups appear."""
    parts = []
    for group in dict.fromkeys(row.group for row in rows):
        lines = [
            f"### {group}",
            "",
            "| | upstream | ours | ratio | target | |",
            "|---|---|---|---|---|---|",
        ]
        for row in rows:
            if row.group == group:
                lines.append("| " + " | ".join(row.to_cells()) + " |")  # noqa: PERF401 - reads better
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def format_seconds(seconds: float) -> str:
    """Return a time with three digits in a unit that suits it."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def format_bytes(amount: float) -> str:
    """Return an amount of memory in MB."""
    return f"{amount / 1e6:.0f} MB"


def _round(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2f}"  # noqa: PLR2004 - digits to show

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the numbers of da3-tiny into its card, between two marks.

Runs where `training.held_out` runs, which calls it: `--card docs/da3-tiny.md`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from da3_blender.contract.models import CONFIG_FILE
from da3_blender.evaluation.evaluate import average

from .curriculum import CURRICULA

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from da3_blender.evaluation.evaluate import SceneScores

BEGIN: Final = "<!-- numbers: begin -->"
END: Final = "<!-- numbers: end -->"
_DEPTH: Final = ("median", "sequence")
# title -> paths to the numbers, decimals, factor
_ROWS: Final[tuple[tuple[str, tuple[tuple[str, ...], ...], int, float], ...]] = (
    (
        "cameras, AUC@30 / 15 / 5 / 3 in percent",
        tuple(("pose", name) for name in ("auc30", "auc15", "auc05", "auc03")),
        1,
        100,
    ),
    ("depth, AbsRel, one scale for all views", (("depth", *_DEPTH, "abs_rel"),), 3, 1),
    ("depth, AbsRel, one scale for each view", (("depth", "median", "image", "abs_rel"),), 3, 1),
    ("depth within 25 %, in percent", (("depth", *_DEPTH, "delta_1"),), 1, 100),
    (
        "depth, AbsRel, the network is given the true cameras",
        (("depth_posed", *_DEPTH, "abs_rel"),),
        3,
        1,
    ),
)


def write_card(
    path: Path,
    weights: Path,
    worlds: Sequence[SceneScores],
    samples: tuple[Sequence[SceneScores], Sequence[SceneScores]],
    resolution: int,
) -> None:
    """Replace what lies between the marks of a card.

    Args:
        path: Markdown with both marks.
        weights: folder that `training.export` wrote.
        worlds: scores of the held-out worlds, of the modes pose, depth and depth_posed.
        samples: the same of the rendered samples, by the network alone, and (without depth_posed)
            with cameras from COLMAP; empty where they are not there.
        resolution: pixels of the longer side at which the network saw the pictures.

    Raises:
        ValueError: the card has no marks.
    """
    text = path.read_text(encoding="utf-8")
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        message = f"{path} has no lines {BEGIN} and {END}"
        raise ValueError(message)
    facts = json.loads((weights / CONFIG_FILE).read_text(encoding="utf-8"))
    body = f"{describe_facts(facts)}\n\n{format_scores(worlds, samples, resolution)}"
    path.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")


def describe_facts(facts: dict[str, Any]) -> str:
    """Say in a sentence or two what the weights are and how long they were trained.

    Args:
        facts: content of the `config.json` beside them.
    """
    run = facts["training"]
    stages = CURRICULA[run["curriculum"]]
    seen = [stage for stage in stages if stage.first_step < run["steps"]] or [stages[0]]
    sides = [side for stage in seen for size in stage.sizes for side in size]
    views = max(count for stage in seen for count in stage.views)
    millions, megabytes = facts["parameters"] / 1e6, facts["file_bytes"] / 1e6
    return (
        f"{millions:.1f} million weights, {megabytes:.1f} MB, sha256 `{facts['sha256']}`.\n"
        f"{run['steps']} steps in {run['hours']:.1f} hours showed it {run['scenes_shown']} scenes, "
        f"{run['pictures_shown']} pictures,\nwith sides of {min(sides)} to {max(sides)} pixels and "
        f"at most {views} views at once."
    )


def format_scores(
    worlds: Sequence[SceneScores],
    samples: tuple[Sequence[SceneScores], Sequence[SceneScores]],
    resolution: int,
) -> str:
    """Return a table with a line per number and the constant guess beside each."""
    alone, with_colmap = samples
    views = max(len(result.frames) for result in worlds)
    columns = [
        (f"{len(worlds)} held-out worlds, {views} views", average(worlds)),
        ("constant", average(worlds, "guess")),
    ]
    if alone:
        columns += [
            (f"rendered samples, {len(alone[0].frames)} views", average(alone)),
            ("with COLMAP's cameras and points", average(with_colmap)),
            ("constant", average(alone, "guess")),
        ]
    lines = [f"| | {' | '.join(title for title, _ in columns)} |"]
    lines.append("|---" * (1 + len(columns)) + "|")
    for title, paths, decimals, factor in _ROWS:
        cells = [_format(scores, paths, decimals, factor) for _, scores in columns]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"Seen at up to {resolution} pixels of the longer side."])


def _format(
    tree: dict[str, Any], paths: tuple[tuple[str, ...], ...], decimals: int, factor: float
) -> str:
    values = [_look_up(tree, path) for path in paths]
    if None in values:
        return "-"
    return " / ".join(f"{factor * value:.{decimals}f}" for value in values)


def _look_up(tree: dict[str, Any], path: tuple[str, ...]) -> float | None:
    value: Any = tree
    for key in path:
        if key not in value:
            return None
        value = value[key]
    return float(value)

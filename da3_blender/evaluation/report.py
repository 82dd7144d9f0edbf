# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores as a table for people, and as JSON and CSV for programs.

Runs in the engine.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

from ..contract.result_folder import translate_disk_errors
from .evaluate import average

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .evaluate import SceneScores

# title -> (path to the number, decimals, factor, whether the best guess stands beside it)
_COLUMNS: Final[tuple[tuple[str, tuple[str, ...], int, float, bool], ...]] = (
    ("AUC@3", ("pose", "auc03"), 1, 100, True),
    ("AUC@30", ("pose", "auc30"), 1, 100, True),
    ("ATE %", ("pose", "ate_percent"), 2, 1, False),
    ("focal %", ("pose", "focal_percent"), 1, 1, True),
    ("AbsRel seq", ("depth", "median", "sequence", "abs_rel"), 3, 1, True),
    ("AbsRel img", ("depth", "median", "image", "abs_rel"), 3, 1, True),
    ("delta1", ("depth", "median", "sequence", "delta_1"), 1, 100, True),
    ("posed AbsRel", ("depth_posed", "median", "sequence", "abs_rel"), 3, 1, False),
    ("posed delta1", ("depth_posed", "median", "sequence", "delta_1"), 1, 100, False),
    ("temporal", ("temporal", "difference"), 3, 1, False),
    ("F1", ("recon_unposed", "f1"), 1, 100, False),
    ("overall", ("recon_unposed", "overall"), 4, 1, False),
    ("posed F1", ("recon_posed", "f1"), 1, 100, False),
    ("posed overall", ("recon_posed", "overall"), 4, 1, False),
)
MEAN: Final = "mean"
_UNSAFE: Final = re.compile(r"[^\w.-]+")


def format_table(results: Sequence[SceneScores], *, with_scenes: bool = True) -> str:
    """Return a line per scene and one of the means; the best constant guess in brackets.

    Args:
        results: of all scenes.
        with_scenes: print a line for each, not only for those that failed.
    """
    scores, guess = average(results), average(results, "guess")
    columns = [column for column in _COLUMNS if _look_up(scores, column[1]) is not None]
    rows = [["scene", "frames", *(column[0] for column in columns)]]
    for result in results:
        if result.failure:
            rows.append([result.name, "failed", *[""] * len(columns)])
        if result.failure or not with_scenes:
            continue
        cells = [_format_cell(result.scores, result.guess, column) for column in columns]
        rows.append([result.name, str(len(result.frames)), *cells])
    measured = [result for result in results if not result.failure]
    total = str(sum(len(result.frames) for result in measured))
    rows.append([MEAN, total, *(_format_cell(scores, guess, column) for column in columns)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    ]
    lines.insert(-1, "-" * len(lines[0]))
    if any(column[4] for column in columns):
        lines.append("in brackets: the best constant guess (docs/evaluation.md)")
    return "\n".join(line.rstrip() for line in lines)


def write_report(
    results: Sequence[SceneScores], settings: dict[str, Any], folder: Path
) -> list[Path]:
    """Write `scenes/NAME.json`, `mean.json` and `scores.csv`.

    Numbers that do not exist (nothing to measure) or are infinite (an empty surface) are null.

    Args:
        results: of all scenes.
        settings: plain values that say how they came about.
        folder: made if needed; older files of these names are replaced.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE with the path.
    """
    names = _name_files([result.name for result in results])
    files: dict[Path, str] = {}
    for result, name in zip(results, names, strict=True):
        content = {
            "scene": result.name,
            "failure": result.failure,
            "frames": list(result.frames),
            "scores": result.scores,
            "guess": result.guess,
            "cost": result.cost,
            "notes": list(result.notes),
            "settings": settings,
        }
        files[folder / "scenes" / f"{name}.json"] = _to_json(content)
    summary = {
        "scenes": len(results),
        "failed": [result.name for result in results if result.failure],
        MEAN: average(results),
        "guess": average(results, "guess"),
        "settings": settings,
    }
    files[folder / f"{MEAN}.json"] = _to_json(summary)
    files[folder / "scores.csv"] = format_csv(results)
    with translate_disk_errors(folder):
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.part")
            part.write_text(text, encoding="utf-8", newline="")
            part.replace(path)
    return list(files)


def format_csv(results: Sequence[SceneScores]) -> str:
    """Return one line per scene and one of the means, a column per number."""
    rows = [
        (result.name, len(result.frames), flatten(result.scores), flatten(result.guess, "guess."))
        for result in results
    ]
    rows.append(
        (MEAN, sum(row[1] for row in rows), flatten(average(results)),
         flatten(average(results, "guess"), "guess."))
    )  # fmt: skip
    keys = dict.fromkeys(key for row in rows for part in row[2:] for key in part)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["scene", "frames", *keys])
    for name, frames, scores, guess in rows:
        values = {**scores, **guess}
        cells = [values.get(key, math.nan) for key in keys]
        writer.writerow([name, frames, *("" if math.isnan(cell) else cell for cell in cells)])
    return text.getvalue()


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """Return nested numbers under names with dots."""
    flat: dict[str, float] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = float(value)
    return flat


def _look_up(tree: dict[str, Any], path: tuple[str, ...]) -> float | None:
    value: Any = tree
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return float(value)


def _format_cell(
    scores: dict[str, Any],
    guess: dict[str, Any],
    column: tuple[str, tuple[str, ...], int, float, bool],
) -> str:
    _, path, decimals, factor, has_guess = column
    value = _look_up(scores, path)
    if value is None or math.isnan(value):
        return "-"
    text = f"{factor * value:.{decimals}f}"
    beside = _look_up(guess, path) if has_guess else None
    if beside is not None and not math.isnan(beside):
        text += f" ({factor * beside:.{decimals}f})"
    return text


def _name_files(names: Sequence[str]) -> list[str]:
    """Return file names that are safe and unique."""
    chosen: list[str] = []
    for name in names:
        safe = _UNSAFE.sub("_", name).strip(".") or "scene"
        unique, count = safe, 1
        while unique.casefold() in {other.casefold() for other in chosen}:
            count += 1
            unique = f"{safe}-{count}"
        chosen.append(unique)
    return chosen


def _to_json(content: dict[str, Any]) -> str:
    return json.dumps(_make_plain(content), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _make_plain(value: Any) -> Any:  # noqa: ANN401 - a tree of several types
    """Replace what JSON cannot hold by None."""
    if isinstance(value, dict):
        return {key: _make_plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_make_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax of Nuke scripts: nodes, knobs and curves.

Runs in both processes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# A word as it is, or one entry per component: a number, or the keys of a curve by frame.
KnobValue = str | list[float | dict[int, float]]

_NODE: Final = re.compile(r"^(\w+) \{[ \t]*$", re.MULTILINE)
_SPECIAL: Final = re.compile(r'[\\"\[\]$]')


class NukeNode(NamedTuple):
    """Kind and knobs of one node."""

    kind: str
    knobs: dict[str, KnobValue]


def quote(text: str) -> str:
    """Return a text in quotes, as a script spells it; Tcl's own letters lose their meaning."""
    return '"' + _SPECIAL.sub(lambda match: "\\" + match[0], text) + '"'


def list_nodes(text: str) -> list[NukeNode]:
    """Read the nodes at the top level of a script.

    Raises:
        ValueError: braces or quotes do not fit.
    """
    nodes: list[NukeNode] = []
    at = 0
    while match := _NODE.search(text, at):
        body, at = _take_braces(text, match.end() - 1 - _count_blanks(match[0]))
        nodes.append(NukeNode(match[1], _read_knobs(body)))
    return nodes


def _count_blanks(text: str) -> int:
    return len(text) - len(text.rstrip())


def _take_braces(text: str, at: int) -> tuple[str, int]:
    """Return what stands between the brace at `at` and its partner, and the place behind it."""
    depth, is_quoted, start = 0, False, at
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 1
        elif letter == '"':
            is_quoted = not is_quoted
        elif not is_quoted and letter in "{}":
            depth += 1 if letter == "{" else -1
            if not depth:
                return text[start + 1 : at], at + 1
        at += 1
    message = "a brace is never closed"
    raise ValueError(message)


def _read_knobs(body: str) -> dict[str, KnobValue]:
    knobs: dict[str, KnobValue] = {}
    at = 0
    while at < len(body):
        match = re.compile(r"\s*(\w+)[ \t]+").match(body, at)
        if match is None:
            end = body.find("\n", at)
            at = len(body) if end < 0 else end + 1
            continue
        at = match.end()
        if body[at : at + 1] == "{":
            inside, at = _take_braces(body, at)
            knobs[match[1]] = _read_components(inside)
        elif body[at : at + 1] == '"':
            found = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL).match(body, at)
            if found is None:
                message = f"the text of {match[1]} never ends"
                raise ValueError(message)
            knobs[match[1]] = re.sub(r"\\(.)", r"\1", found[1])
            at = found.end()
        else:
            end = body.find("\n", at)
            end = len(body) if end < 0 else end
            knobs[match[1]] = body[at:end].strip()
            at = end
    return knobs


def _read_components(text: str) -> KnobValue:
    """Read numbers and curves; anything else, such as an expression, stays a text."""
    parts: list[float | dict[int, float]] = []
    at = 0
    while match := re.compile(r"\s*(\{|[^\s{}]+)").match(text, at):
        if match[1] != "{":
            at = match.end()
            try:
                parts.append(float(match[1]))
            except ValueError:
                return text
            continue
        inside, at = _take_braces(text, match.end() - 1)
        inner = _read_components(inside) if "curve" not in inside.split("{")[0] else None
        if isinstance(inner, list):  # rows of a matrix, or one more pair of braces
            parts += inner
            continue
        if inner is not None or not inside.lstrip().startswith("curve"):
            return text
        parts.append(_read_curve(inside))
    return parts


def _read_curve(text: str) -> dict[int, float]:
    """Read `curve x1 0.5 0.6 x7 0.9`: a number without a frame belongs to the next one."""
    keys: dict[int, float] = {}
    frame, step = 1, 1
    skips = 0
    for word in text.split()[1:]:
        if skips:
            skips -= 1
        elif re.fullmatch(r"x-?\d+(\.0*)?", word):
            frame = int(float(word[1:]))
        elif re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", word, re.IGNORECASE):
            keys[frame] = float(word)
            frame += step
        elif re.fullmatch(r"[a-zA-Z]", word):
            # L, K, C and the like choose an interpolation; s and t are slopes, which have a value
            skips = 1 if word in "st" else 0
        else:
            message = f"{word} in a curve is not understood"
            raise ValueError(message)
    return keys


def sample_knob(
    value: KnobValue | None, frames: Sequence[int], default: Sequence[float]
) -> NDArray[np.float64]:
    """Return the (F, C) numbers of a knob with C components at some frames.

    Between keys the value changes evenly.

    Raises:
        ValueError: the knob is an expression, or has another number of components.
    """
    if value is None:
        return np.tile(np.asarray(default, np.float64), (len(frames), 1))
    parts = [float(value)] if isinstance(value, str) else value
    if len(parts) == 1 and len(default) > 1:
        parts = parts * len(default)  # one number stands for all components
    if len(parts) != len(default):
        message = f"{len(parts)} components in place of {len(default)}"
        raise ValueError(message)
    columns = []
    for part in parts:
        if isinstance(part, dict):
            keys = sorted(part)
            columns.append(np.interp(frames, keys, [part[key] for key in keys]))
        else:
            columns.append(np.full(len(frames), part))
    return np.stack(columns, axis=1)

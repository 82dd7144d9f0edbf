# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of `blender --command da3`, made from the settings they fill.

Runs in Blender; standard library and contract only.
"""

from __future__ import annotations

import argparse
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Final

from ..da3_blender.contract import names
from ..da3_blender.contract.settings import CHOICES, RunSettings
from ..da3_blender.scene.build_options import CAMERA_MODES, POINT_DISPLAYS, BuildOptions

_CHOICES: Final = {
    **CHOICES,
    "point_display": POINT_DISPLAYS,
    "camera_mode": CAMERA_MODES,
}
# Not for the command line: what comes from its words, and what needs an earlier result.
_SPECIAL: Final = ("inputs", "output", "reuse", "only_views", "renew_cameras")


@dataclass(frozen=True)
class CommandOptions:
    """What the command was asked to do.

    Args:
        inputs: absolute paths; empty builds an existing result.
        output: the .blend to write.
        result: results folder, or None for one beside the .blend.
        engine_python: interpreter of the engine; "" takes that of the preferences.
        render: picture to render through the first camera, or None.
        run: fields of RunSettings that were given, without inputs and output.
        build: fields of BuildOptions that were given.
    """

    inputs: tuple[str, ...]
    output: Path
    result: Path | None
    engine_python: str
    render: Path | None
    run: dict[str, Any]
    build: dict[str, Any]


def parse_arguments(argv: list[str]) -> CommandOptions:
    """Read the words after `--command da3`.

    Raises:
        SystemExit: wrong words, or --help; argparse has printed the reason.
    """
    values = vars(_make_parser().parse_args(argv))
    return CommandOptions(
        inputs=tuple(str(Path(path).absolute()) for path in values["inputs"]),
        output=Path(values["output"]).absolute().with_suffix(".blend"),
        result=Path(values["result"]).absolute() if values["result"] else None,
        engine_python=values["engine_python"],
        render=Path(values["render"]).absolute() if values["render"] else None,
        run=_pick(values, RunSettings),
        build=_pick(values, BuildOptions),
    )


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"blender --command {names.CLI_COMMAND}",
        description="Reconstruct cameras and points from photos or video into a .blend file.",
    )
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="a folder of photos, a video, or photo files; none builds the result of --result",
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help=".blend to write")
    parser.add_argument(
        "--result", metavar="DIR", help="results folder (default: beside the .blend)"
    )
    parser.add_argument(
        "--engine-python", default="", metavar="FILE", help="Python that has the engine's libraries"
    )
    parser.add_argument("--render", metavar="FILE", help="also render the first camera to a .png")
    _add_fields(parser.add_argument_group("run"), RunSettings)
    _add_fields(parser.add_argument_group("scene"), BuildOptions)
    return parser


def _add_fields(group: argparse._ArgumentGroup, kind: type) -> None:
    for field in fields(kind):
        if field.name in _SPECIAL:
            continue
        default = None if field.default is MISSING else field.default
        settings: dict[str, Any] = {"dest": field.name, "default": argparse.SUPPRESS}
        settings["help"] = f"default: {default!r}" if default not in (None, "") else "default: none"
        if isinstance(default, bool):
            settings["action"] = argparse.BooleanOptionalAction
        elif field.name in _CHOICES:
            settings["choices"] = _CHOICES[field.name]
        else:
            # Fields without a number as default are frame numbers.
            settings["type"] = int if default is None else type(default)
            settings["metavar"] = "TEXT" if isinstance(default, str) else "N"
        group.add_argument(f"--{field.name.replace('_', '-')}", **settings)


def _pick(values: dict[str, Any], kind: type) -> dict[str, Any]:
    known = {field.name for field in fields(kind)} - set(_SPECIAL)
    return {name: value for name, value in values.items() if name in known}

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the fresh engine: do all libraries load, and does it compute what it should?

Runs in the installer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from ..contract.engine_environment import make_engine_environment
from ..contract.errors import EngineError, ErrorCode

if TYPE_CHECKING:
    from .programs import Programs

# What the engine imports; a library of the system that one of them needs may be missing.
IMPORTS: Final = (
    "numpy",
    "PIL.Image",
    "simplejpeg",
    "pillow_heif",
    "av",
    "OpenEXR",
    "pycolmap",
    "safetensors",
    "scipy.spatial",
    "huggingface_hub",
    "torch",
)
_IMPORT_ALL: Final = (
    "import importlib, sys\n"
    "for name in sys.argv[1:]:\n"
    "    try:\n"
    "        importlib.import_module(name)\n"
    "    except Exception as error:\n"
    "        print(f'{name}: {type(error).__name__}: {error}')\n"
    "        sys.exit(1)\n"
)
_LONGEST: Final = 300


def load_libraries(programs: Programs, python: Path) -> None:
    """Import every library once.

    Args:
        programs: starts the engine's Python.
        python: of the environment.

    Raises:
        EngineError: ENGINE_BROKEN, with the library and the reason.
        CancelledError: the user cancelled.
    """
    environment = make_engine_environment(Path())
    done = programs.run([str(python), "-I", "-c", _IMPORT_ALL, *IMPORTS], environment)
    if done.exit_code != 0:
        text = done.stdout.strip() or done.stderr.strip() or f"exit code {done.exit_code}"
        raise EngineError(
            ErrorCode.ENGINE_BROKEN,
            f"A library of the engine does not load ({text.splitlines()[-1][:_LONGEST]}).",
            "Press Repair; if it stays, copy the report and file an issue.",
        )


def test_network(
    programs: Programs, python: Path, extension_root: Path, device: str
) -> dict[str, Any]:
    """Let the engine compute the depth of a small picture and compare it with the stored one.

    Args:
        programs: starts the engine's Python.
        python: of the environment.
        extension_root: folder that holds the package `da3_blender`.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        What the engine says: device, device_name, error, tolerance, seconds, torch.

    Raises:
        EngineError: the numbers are wrong, or the engine could not compute them.
        CancelledError: the user cancelled.
    """
    command = [str(python), "-P", "-s", "-m", "da3_blender", "self-test", "--json"]
    command += ["--device", device]
    done = programs.run(command, make_engine_environment(extension_root))
    answer = _read_answer(done.stdout)
    if answer is None:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.exit_code}"]
        raise EngineError(
            ErrorCode.ENGINE_BROKEN,
            f"The engine could not compute its test picture ({lines[-1][:_LONGEST]}).",
            "Press Repair; if it stays, choose the processor in the preferences (Compute on).",
        )
    failure: object = answer.get("failure")
    if isinstance(failure, dict):
        raise EngineError.from_json(cast(dict[str, object], failure))
    return answer


def _read_answer(stdout: str) -> dict[str, Any] | None:
    for line in reversed(stdout.splitlines()):
        if line.startswith("{"):
            content: object = json.loads(line)
            if isinstance(content, dict):
                return cast(dict[str, Any], content)
    return None

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python the engine's environment is made with.

Runs in the installer.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..contract.engine_home import SUPPORTED_PYTHONS, is_supported
from ..contract.errors import EngineError, ErrorCode
from ..contract.setup_request import (
    FOLDER,
    PYTHON_AUTO,
    PYTHON_BLENDER,
    PYTHON_CHOSEN,
    PYTHON_MANAGED,
    SetupRequest,
)
from .resolution import TORCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .programs import Programs
    from .uv import Uv

_MANAGED_VERSION: Final = "3.13"
_ASK: Final = (
    "import json, sys; "
    "print(json.dumps([list(sys.version_info[:3]), sys.maxsize > 2**32, sys.executable]))"
)
_TAG: Final = re.compile(r"-(?:cp3(\d+))-")
_WORDS: Final = " or ".join(f"{a}.{b}" for a, b in SUPPORTED_PYTHONS)


@dataclass(frozen=True)
class BasePython:
    """An interpreter that an environment can be made with.

    Attributes:
        path: of the program.
        version: major, minor, micro.
        origin: "managed", "blender", "chosen" or "system".
    """

    path: Path
    version: tuple[int, int, int]
    origin: str

    @property
    def version_text(self) -> str:
        """Such as "3.11.7"."""
        return ".".join(map(str, self.version))


class PythonFinder:
    """Looks for a Python that will do.

    Args:
        programs: starts candidates to ask them for their version.
        uv: knows interpreters of the system, and can bring one.
        request: what the user wants.
        note: told what the user should know.
    """

    def __init__(
        self, programs: Programs, uv: Uv, request: SetupRequest, note: Callable[[str], None]
    ) -> None:
        self._programs = programs
        self._uv = uv
        self._request = request
        self._note = note
        self._minors = find_wheel_pythons(request)

    def find(self) -> BasePython:
        """Return the Python to use: the first that will do, in the order that the user wants.

        Raises:
            EngineError: PYTHON_MISSING.
            CancelledError: the user cancelled.
        """
        request = self._request
        if request.python == PYTHON_CHOSEN:
            return self._need(self._ask(Path(request.python_path), PYTHON_CHOSEN))
        if request.python == PYTHON_BLENDER:
            return self._need(self._ask_blender())
        if request.python == PYTHON_MANAGED:
            return self._need(self._bring_managed(is_needed=True))
        for candidate in self._list_automatic():
            if candidate is not None and self._will_do(candidate):
                if candidate.origin == PYTHON_BLENDER:
                    self._note(
                        f"The engine uses Blender's own Python {candidate.version_text}. "
                        "If this Blender is removed or moved, press Repair."
                    )
                return candidate
        raise self._explain_none()

    def _list_automatic(self) -> Iterator[BasePython | None]:
        yield self._find_with_uv("--managed-python", PYTHON_MANAGED)
        yield self._bring_managed(is_needed=False)
        yield self._ask_blender()
        yield self._find_with_uv("--no-managed-python", "system")

    def _bring_managed(self, *, is_needed: bool) -> BasePython | None:
        """Let uv install a Python of its own, if that can be had."""
        request = self._request
        mirror = []
        if request.source == FOLDER:
            if not any(Path(request.folder).glob("*/cpython-*.tar.*")):
                return None
            mirror = ["--mirror", Path(request.folder).absolute().as_uri()]
        if self._minors and int(_MANAGED_VERSION.partition(".")[2]) not in self._minors:
            return None
        try:
            self._uv.run(["python", "install", *mirror, _MANAGED_VERSION], retries=1)
        except EngineError as error:
            if is_needed:
                raise EngineError(
                    ErrorCode.PYTHON_MISSING,
                    f"uv could not bring a Python ({error.message})",
                    "Choose Automatic or another Python in the preferences.",
                ) from error
            return None
        return self._find_with_uv("--managed-python", PYTHON_MANAGED)

    def _find_with_uv(self, which: str, origin: str) -> BasePython | None:
        for major, minor in reversed(SUPPORTED_PYTHONS):
            if self._minors and minor not in self._minors:
                continue
            words = ["python", "find", "--system", "--no-python-downloads", which]
            try:
                answer = self._uv.run([*words, f"{major}.{minor}"])
            except EngineError:
                continue  # there is none of this version
            found = self._ask(Path(answer.strip()), origin)
            if found is not None:
                return found
        return None

    def _ask_blender(self) -> BasePython | None:
        path = self._request.blender_python
        return self._ask(Path(path), PYTHON_BLENDER) if path else None

    def _ask(self, path: Path, origin: str) -> BasePython | None:
        """Start an interpreter and ask for its version; None if it cannot be started."""
        environment = {k: v for k, v in os.environ.items() if not k.upper().startswith("PYTHON")}
        try:
            done = self._programs.run([str(path), "-I", "-c", _ASK], environment)
            version, is_64_bit, _ = json.loads(done.stdout)
        except (OSError, ValueError):
            return None
        if not is_64_bit:
            return None
        return BasePython(path, (version[0], version[1], version[2]), origin)

    def _will_do(self, python: BasePython) -> bool:
        fits = not self._minors or python.version[1] in self._minors
        return fits and is_supported(python.version)

    def _need(self, python: BasePython | None) -> BasePython:
        if python is not None and self._will_do(python):
            return python
        if python is None:
            raise self._explain_none()
        raise EngineError(
            ErrorCode.PYTHON_MISSING,
            f"The Python {python.path} is version {python.version_text}; the engine needs "
            f"{self._describe_wanted()}.",
            "Choose Automatic or another Python in the preferences.",
        )

    def _explain_none(self) -> EngineError:
        request = self._request
        if request.python == PYTHON_CHOSEN:
            what = f"The Python {request.python_path} cannot be started."
        elif request.python == PYTHON_AUTO:
            what = f"No Python {self._describe_wanted()} was found on this computer."
        else:
            what = f"Blender's Python cannot be used; the engine needs {self._describe_wanted()}."
        return EngineError(
            ErrorCode.PYTHON_MISSING,
            what,
            "Install one of these versions, or name one in the preferences (Python for the "
            "Engine).",
        )

    def _describe_wanted(self) -> str:
        if not self._minors:
            return _WORDS
        versions = " or ".join(f"3.{minor}" for minor in sorted(self._minors))
        return f"{versions} (for which the folder has packages)"


def find_wheel_pythons(request: SetupRequest) -> frozenset[int]:
    """Return the minor versions of Python for which a folder has torch; empty for any.

    Args:
        request: where packages come from.
    """
    if request.source != FOLDER:
        return frozenset()
    names = [path.name for path in Path(request.folder).glob(f"{TORCH}-*.whl")]
    return frozenset(int(found[1]) for name in names if (found := _TAG.search(name)))

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""uv: where the program is, how it is called, and what its failures mean.

Runs in the installer.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..contract.errors import EngineError, ErrorCode
from ..contract.setup_request import FOLDER
from .uv_failures import explain_uv_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..contract.engine_home import EngineHome
    from ..contract.setup_request import SetupRequest
    from .programs import Programs

# Settings of uv that describe the user's network. Others could lead uv to another place.
_KEPT: Final = (
    "UV_INDEX",  # and UV_INDEX_URL, UV_INDEX_<name>_PASSWORD
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_HTTP",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_PYTHON_INSTALL_MIRROR",
    "UV_ASTRAL_MIRROR_URL",
    "UV_CREDENTIALS_DIR",
    "UV_CUDA_DRIVER_VERSION",
    "UV_AMD_GPU_ARCHITECTURE",
)
_NOT_KEPT: Final = ("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "__PYVENV_LAUNCHER__")


class Uv:
    """Calls uv with the same options each time.

    Args:
        programs: runs it.
        request: network settings.
        home: of the engine.

    Raises:
        EngineError: SETUP_FAILED; there is no uv, or it cannot be copied.
    """

    def __init__(self, programs: Programs, request: SetupRequest, home: EngineHome) -> None:
        self._programs = programs
        self._request = request
        self._home = home
        home.workshop.mkdir(parents=True, exist_ok=True)
        self.program = _find_program(request.uv, home.workshop)

    def run(
        self,
        arguments: Sequence[str],
        on_poll: Callable[[], None] = lambda: None,
        retries: int = 3,
    ) -> str:
        """Call uv and return what it printed to stdout.

        Args:
            arguments: command and options.
            on_poll: called some ten times a second.
            retries: of requests that fail.

        Raises:
            EngineError: it failed; the sentence says why.
            CancelledError: the user cancelled.
        """
        command = [
            str(self.program),
            *arguments,
            *("--cache-dir", str(self._home.cache)),
            *("--color", "never", "--no-progress", "--system-certs"),
        ]
        environment = self._make_environment() | {"UV_HTTP_RETRIES": str(retries)}
        try:
            done = self._programs.run(command, environment, self._home.workshop, on_poll)
        except OSError as error:
            raise EngineError(
                ErrorCode.SETUP_FAILED,
                f"The program uv cannot be started ({error.strerror or error}).",
                "Install the extension again; it must fit this computer's system.",
            ) from error
        if done.exit_code != 0:
            raise explain_uv_failure(done.exit_code, done.stderr, self._request)
        return done.stdout

    def list_index_options(self) -> list[str]:
        """Return the options that say where packages come from."""
        request = self._request
        if request.source == FOLDER:
            return ["--no-index", "--find-links", request.folder, "--offline"]
        options = ["--default-index", request.default_index] if request.default_index else []
        if request.extra_index:
            options += ["--index", request.extra_index]
        return options

    def _make_environment(self) -> dict[str, str]:
        kept = {}
        for name, value in os.environ.items():
            upper = name.upper()
            is_uv = upper.startswith("UV_") and not upper.startswith(_KEPT)
            if not (is_uv or upper.startswith("PYTHON") or name in _NOT_KEPT):
                kept[name] = value
        # A bundle that Python brought along would hide the certificates of the system from uv.
        if "certifi" in kept.get("SSL_CERT_FILE", ""):
            del kept["SSL_CERT_FILE"]
        kept["UV_PYTHON_INSTALL_DIR"] = str(self._home.pythons)
        kept["UV_PYTHON_INSTALL_BIN"] = "0"
        kept["UV_PYTHON_INSTALL_REGISTRY"] = "0"
        if self._request.python_mirror:
            kept["UV_PYTHON_INSTALL_MIRROR"] = self._request.python_mirror
        return kept


def _find_program(given: str, workshop: Path) -> Path:
    """Return a uv that can be executed: a copy of the bundled one, or that of the PATH."""
    if given and Path(given).is_file():
        return _copy_program(Path(given), workshop)
    on_path = shutil.which("uv")
    if on_path:
        return Path(on_path)
    raise EngineError(
        ErrorCode.SETUP_FAILED,
        "The program uv, which sets up the engine, is missing from the extension.",
        "Install the zip that was made for this system, or install uv and try again.",
    )


def _copy_program(source: Path, workshop: Path) -> Path:
    """Copy uv out of Blender's folder of wheels, where it is not executable."""
    target = workshop / source.name
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        if target.is_file() and target.stat().st_size == source.stat().st_size:
            target.chmod(0o755)
            return target
        shutil.copyfile(source, part)
        part.chmod(0o755)
        part.replace(target)
    finally:
        with suppress(OSError):
            part.unlink()
    return target

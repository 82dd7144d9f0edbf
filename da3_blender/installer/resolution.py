# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages are needed on this machine: name, version, address, size and hash of each.

Runs in the installer. uv chooses them from the lock files, for this system, this Python and this
graphics driver.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from ..contract.engine_lock import find_library_lock, find_torch_lock
from ..contract.errors import EngineError, ErrorCode
from ..contract.setup_request import BACKEND_CPU, FOLDER, SetupRequest
from .uv_failures import explain_mismatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from .uv import Uv

_LOCKED: Final = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)\s*(?P<marker>;[^\\]*)?")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NAMED: Final = 6
TORCH: Final = "torch"


@dataclass(frozen=True)
class Package:
    """One wheel.

    Attributes:
        name: normalised.
        version: with its build, such as "2.13.0+cpu".
        url: http(s) address, or "" for a file of a folder.
        path: the file of a folder, or None.
        size_bytes: None if the index does not tell.
        sha256: of the file; "" if the index does not tell.
    """

    name: str
    version: str
    url: str
    path: Path | None
    size_bytes: int | None
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the wheel."""
        if self.path is not None:
            return self.path.name
        return unquote(urlsplit(self.url).path.rpartition("/")[2])

    def to_requirement(self) -> str:
        """Return a line that only this very file satisfies."""
        checked = f" --hash=sha256:{self.sha256}" if self.sha256 else ""
        return f"{self.name}=={self.version}{checked}"


@dataclass(frozen=True)
class LockedPackage:
    """One entry of the lock file."""

    name: str
    version: str
    has_marker: bool
    hashes: frozenset[str]


def read_lock() -> list[LockedPackage]:
    """Read the lock file of the libraries, which uv wrote with hashes."""
    entries: list[LockedPackage] = []
    text = find_library_lock().read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        found = _LOCKED.match(line)
        if found:
            hashes = frozenset(_HASH.findall(line))
            name = normalise(found["name"])
            entries.append(LockedPackage(name, found["version"], bool(found["marker"]), hashes))
    return entries


def normalise(name: str) -> str:
    """Return the one spelling of a package's name: "Pillow_Heif" -> "pillow-heif"."""
    return re.sub(r"[-_.]+", "-", name).lower()


def resolve(
    uv: Uv, request: SetupRequest, python: Path, note: Callable[[str], None]
) -> list[Package]:
    """Choose the packages.

    Args:
        uv: asks the index, or looks into the folder.
        request: where from, and which build of torch.
        python: interpreter that they are for.
        note: told what the user should know.

    Raises:
        EngineError: the index cannot be reached, or a package is missing.
        CancelledError: the user cancelled.
    """
    try:
        packages = _ask_uv(uv, request, python, request.backend)
    except EngineError as error:
        is_unsolvable = (
            "no solution" in error.message.lower() or "Not all packages" in error.message
        )
        if request.source == FOLDER:
            raise _name_missing(error, Path(request.folder)) from error
        if not is_unsolvable or request.torch_index or request.backend == BACKEND_CPU:
            raise
        packages = _ask_uv(uv, request, python, BACKEND_CPU)
        note(
            "The driver of the graphics card is too old for this version of torch, so the "
            "processor computes. Update the driver and press Repair."
        )
    _check_hashes(packages)
    return packages


def _ask_uv(uv: Uv, request: SetupRequest, python: Path, backend: str) -> list[Package]:
    command = ["pip", "compile", "--quiet", "--format", "pylock.toml", "--no-build"]
    command += ["--python", str(python), *uv.list_index_options()]
    if request.source != FOLDER:
        if request.torch_index:
            command += ["--index", request.torch_index, "--index-strategy", "unsafe-best-match"]
        else:
            command += ["--torch-backend", backend]
    command += [str(find_library_lock()), str(find_torch_lock())]
    return read_pylock(uv.run(command))


def read_pylock(text: str) -> list[Package]:
    """Read the packages of a `pylock.toml` that was made for one machine.

    Raises:
        EngineError: a package has no wheel.
    """
    packages: list[Package] = []
    for entry in tomllib.loads(text).get("packages", []):
        wheels: list[dict[str, Any]] = entry.get("wheels", [])
        if not wheels:
            raise EngineError(
                ErrorCode.SETUP_FAILED,
                f"The package {entry['name']} has no wheel for this system.",
                "Check the indexes in the preferences.",
            )
        wheel = wheels[0]
        place = urlsplit(wheel.get("url", ""))
        path = None
        if place.scheme == "file":
            path = Path(url2pathname(place.path))
        elif "path" in wheel:
            path = Path(wheel["path"])
        size = wheel.get("size")
        if path is not None:
            size = path.stat().st_size
        packages.append(
            Package(
                name=normalise(entry["name"]),
                version=entry["version"],
                url="" if path is not None else wheel["url"].partition("#")[0],
                path=path,
                size_bytes=size,
                sha256=wheel.get("hashes", {}).get("sha256", ""),
            )
        )
    return packages


def _check_hashes(packages: list[Package]) -> None:
    """Refuse files that are not among those that were locked; torch is locked by version only.

    Raises:
        EngineError: SETUP_FAILED.
    """
    locked = {(entry.name, entry.version): entry for entry in read_lock()}
    for package in packages:
        entry = locked.get((package.name, package.version))
        if entry is not None and package.sha256 and package.sha256 not in entry.hashes:
            raise explain_mismatch(package.file_name)


def _name_missing(error: EngineError, folder: Path) -> EngineError:
    """Return an error that names all packages that a folder lacks, if that is the trouble."""
    present = {
        (normalise(parts[0]), parts[1])
        for parts in (path.name.split("-") for path in folder.glob("*.whl"))
        if len(parts) >= 5  # noqa: PLR2004 - name, version, Python, ABI, platform
    }
    missing = [
        f"{entry.name} {entry.version}"
        for entry in read_lock()
        if not entry.has_marker and (entry.name, entry.version) not in present
    ]
    torch = find_torch_lock().read_text(encoding="utf-8").strip().partition("==")[2]
    if not any(n == TORCH and v.partition("+")[0] == torch for n, v in present):
        missing.append(f"{TORCH} {torch}")
    if not missing:
        return error
    named = ", ".join(missing[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return EngineError(
        ErrorCode.SETUP_FAILED,
        f"The folder {folder} lacks {named}{more}.",
        "docs/setup.md tells how to collect the folder; the versions must be these.",
    )

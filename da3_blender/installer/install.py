# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the environment in a side folder, test it there, and put it in place by a rename.

Runs in the installer. What has arrived stays in the workshop until everything is in place, so a
set-up that was stopped goes on where it was.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..contract.engine_home import PYTHON_IN_ENVIRONMENT, STAMP_FILE, EngineHome, EngineStamp
from ..contract.engine_lock import hash_lock_files
from ..contract.errors import EngineError, ErrorCode
from .discarding import discard, put_in_place, remove_unfinished
from .downloads import ByteCounter, Downloader, NeedsUvError, format_bytes, sum_sizes
from .engine_test import load_libraries, test_network
from .pythons import BasePython, PythonFinder
from .records import find_site_packages, measure_folder, read_records
from .resolution import TORCH, Package, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .work import Work

STAGE_PREPARE: Final = "Looking up packages"
STAGE_DOWNLOAD: Final = "Downloading"
STAGE_UNPACK: Final = "Unpacking"
STAGE_TEST: Final = "Testing"
# Shares of the time on a line of 50 Mbit/s.
_STAGES: Final = (
    (STAGE_PREPARE, 0.05),
    (STAGE_DOWNLOAD, 0.6),
    (STAGE_UNPACK, 0.25),
    (STAGE_TEST, 0.1),
)
# Wheels unpack to this many times their size: 3.5 measured with the processor's torch; NVIDIA's
# libraries, which are most of a large download, compress less.
_GROWTH_SMALL: Final = 3.7
_GROWTH_LARGE: Final = 2.6
_LARGE_BYTES: Final = 1_000_000_000
_SPARE_BYTES: Final = 200_000_000
_COMPILED_GROWTH: Final = 1.2  # bytecode beside each Python file


def install(work: Work) -> list[str]:
    """Set the engine up, or set it up again.

    Returns:
        What was made, one line each.

    Raises:
        EngineError: anything that the user can mend.
        CancelledError: the user cancelled.
    """
    progress, home = work.progress, work.home
    progress.plan(_STAGES)
    progress.begin(STAGE_PREPARE, "Looking for a Python")
    remove_unfinished(home)
    base, packages = plan_packages(work)
    wheels = fetch(work, packages)
    fresh = home.folder / f"engine.new-{os.getpid()}"
    try:
        progress.begin(STAGE_UNPACK)
        make_environment(work, base, fresh)
        install_packages(work, fresh, packages, wheels)
        progress.begin(STAGE_TEST, "Loading all libraries")
        answer = run_tests(work, fresh)
        stamp = make_stamp(work, fresh, base, packages, answer)
        stamp.write(fresh / STAMP_FILE)
        put_in_place(home, fresh)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    discard(home.workshop)
    return describe(stamp, answer)


def plan_packages(work: Work) -> tuple[BasePython, list[Package]]:
    """Choose the Python and the packages."""
    base = PythonFinder(work.programs, work.uv, work.request, work.progress.note).find()
    work.progress.report(0.4, f"For Python {base.version_text}", force=True)
    packages = resolve(work.uv, work.request, base.path, work.progress.note)
    downloader = Downloader(work.home.downloads, work.cancelled)
    sized: list[Package] = []
    for package in packages:
        size = package.size_bytes
        if size is None and package.url:
            size = downloader.ask_size(package.url)
        sized.append(replace(package, size_bytes=size))
    return base, sized


def fetch(work: Work, packages: Sequence[Package]) -> list[Path] | None:
    """Bring all packages onto the disk.

    Args:
        work: the request.
        packages: to fetch; files of a folder are used where they are.

    Returns:
        The wheels; None if the server lets only uv in, which then downloads by itself.

    Raises:
        EngineError: DOWNLOAD_FAILED, DISK_FULL, or SETUP_FAILED for a wrong hash.
        CancelledError: the user cancelled.
    """
    total = sum_sizes(packages)
    work.progress.begin(STAGE_DOWNLOAD, f"{format_bytes(total)} in {len(packages)} packages")
    _check_space(work.home, packages)
    counter = ByteCounter(total, work.progress.report)
    downloader = Downloader(work.home.downloads, work.cancelled)
    wheels: list[Path] = []
    for package in packages:
        if package.path is not None:
            wheels.append(package.path)
            size = package.path.stat().st_size
        else:
            try:
                wheels.append(downloader.fetch(package, counter.count))
            except NeedsUvError:
                work.progress.note("The server let only uv in, so progress is not shown in bytes.")
                return None
            size = wheels[-1].stat().st_size
        counter.finish_file(size)
        counter.count(0)
    return wheels


def make_environment(work: Work, base: BasePython, folder: Path) -> None:
    """Make an environment without packages."""
    words = ["venv", "--quiet", "--no-project", "--relocatable", "--no-python-downloads"]
    work.uv.run([*words, "--python", str(base.path), str(folder)])


def install_packages(
    work: Work, environment: Path, packages: Sequence[Package], wheels: Sequence[Path] | None
) -> None:
    """Unpack packages into an environment; each file is checked by its hash again.

    Args:
        work: the request.
        environment: to install into; files of the same packages are replaced.
        packages: name, version and hash.
        wheels: files; None lets uv download.
    """
    listed = work.home.workshop / "packages.txt"
    listed.write_text("".join(p.to_requirement() + "\n" for p in packages), encoding="utf-8")
    command = ["pip", "install", "--quiet", "--python", str(_find_python(environment))]
    command += ["--no-deps", "--no-build", "--compile-bytecode", "--reinstall"]
    if all(package.sha256 for package in packages):
        command += ["--require-hashes"]
    if wheels is None:
        command += work.uv.list_index_options()
        if work.request.torch_index:
            command += ["--index", work.request.torch_index]
            command += ["--index-strategy", "unsafe-best-match"]
        else:
            command += ["--torch-backend", work.request.backend]
    else:
        command += ["--no-index", "--offline"]
        for folder in sorted({str(wheel.parent) for wheel in wheels}):
            command += ["--find-links", folder]
    command += ["-r", str(listed)]
    counter = _Unpacking(work, environment, wheels)
    work.uv.run(command, counter.look)


def run_tests(work: Work, environment: Path) -> dict[str, Any]:
    """Load all libraries and compute the test picture; return what the engine says."""
    python = _find_python(environment)
    load_libraries(work.programs, python)
    work.progress.report(0.5, "Computing a picture", force=True)
    root = Path(work.request.extension_root)
    return test_network(work.programs, python, root, work.request.device)


def make_stamp(
    work: Work,
    environment: Path,
    base: BasePython,
    packages: Sequence[Package],
    answer: dict[str, Any],
) -> EngineStamp:
    """Describe a finished environment."""
    now = dt.datetime.now(dt.UTC)
    return EngineStamp(
        lock=hash_lock_files(),
        python=base.version_text,
        base_python=os.path.realpath(_find_python(environment)),
        python_origin=base.origin,
        torch=next((p.version for p in packages if p.name == TORCH), ""),
        packages={record.name: record.version for record in read_records(environment)},
        installed_bytes=measure_folder(environment),
        download_bytes=sum_sizes(packages),
        source=work.request.source,
        device=str(answer.get("device", "")),
        device_name=str(answer.get("device_name", "")),
        made=now.isoformat(timespec="seconds"),
    )


def describe(stamp: EngineStamp, answer: dict[str, Any]) -> list[str]:
    """Say what an environment is and that it works, one line each."""
    origins = {"managed": "its own", "blender": "Blender's", "system": "of this system"}
    origin = origins.get(stamp.python_origin, "chosen by you")
    return [
        f"Python {stamp.python} ({origin}), torch {stamp.torch}",
        f"{len(stamp.packages)} packages, {format_bytes(stamp.installed_bytes)}",
        f"Computes on {answer.get('device_name') or answer.get('device', 'the processor')}",
        _describe_test(answer),
    ]


def _describe_test(answer: dict[str, Any]) -> str:
    return (
        f"Test picture: right to {answer.get('error', 0.0):.3%} "
        f"({answer.get('tolerance', 0.0):.1%} would do), {answer.get('seconds', 0.0):.0f} s"
    )


def _check_space(home: EngineHome, packages: Sequence[Package]) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        EngineError: DISK_FULL, with the numbers.
    """
    total = sum_sizes(packages)
    growth = _GROWTH_LARGE if total > _LARGE_BYTES else _GROWTH_SMALL
    here = sum(p.stat().st_size for p in home.downloads.glob("*") if p.is_file())
    missing = max(sum(p.size_bytes or 0 for p in packages if p.path is None) - here, 0)
    needed = round(total * growth) + missing + _SPARE_BYTES
    home.folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home.folder).free
    if free < needed:
        raise EngineError(
            ErrorCode.DISK_FULL,
            f"The set-up needs {format_bytes(needed)} and the disk of {home.folder} has "
            f"{format_bytes(free)} free.",
            "Free some space, or choose another engine folder in the preferences.",
        )


class _Unpacking:
    """Says how far uv is, by what there is on the disk."""

    def __init__(self, work: Work, environment: Path, wheels: Sequence[Path] | None) -> None:
        self._work = work
        self._environment = environment
        self._archive = work.home.cache
        self._looked_s = 0.0
        self._packages, self._modules = 0, 0
        for wheel in wheels or ():
            with zipfile.ZipFile(wheel) as opened:
                self._packages += 1
                self._modules += sum(name.endswith(".py") for name in opened.namelist())

    def look(self) -> None:
        """Report; at most once a second, since it counts files."""
        now = time.monotonic()
        if now - self._looked_s < 1.0:
            return
        self._looked_s = now
        if not self._packages:
            self._work.progress.report(0.0, "uv downloads and unpacks")
            return
        unpacked = sum(1 for _ in self._archive.glob("archive-v*/*"))
        share = 0.3 * min(unpacked / self._packages, 1.0)
        words = f"{min(unpacked, self._packages)} of {self._packages} packages"
        compiled = self._count_compiled()
        if compiled:
            share += 0.7 * min(compiled / max(self._modules, 1), 1.0)
            words = "Preparing Python's files"
        self._work.progress.report(share, words)

    def _count_compiled(self) -> int:
        site = find_site_packages(self._environment)
        if site is None:
            return 0
        return sum(len(names) for place, _, names in os.walk(site) if place.endswith("__pycache__"))


def _find_python(environment: Path) -> Path:
    return environment / PYTHON_IN_ENVIRONMENT[0]

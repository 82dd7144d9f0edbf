# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the documentation's pictures: runs scenarios in a real window, crops, compresses.

Runs in the engine's environment, which has Pillow; `make screenshots DRIVER=...` calls it. The
driver is a program that starts a Blender with a window and a clean user folder, and runs one
scenario of `tools/screenshots` in it (`docs/architecture.md`, "The real window"):

    DRIVER -t SECONDS -o OUT -m FOLDER [-m FOLDER ...] [-z ZIP -c TAB] SCENARIO.py
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
SCENARIOS: Final = ROOT / "tools" / "screenshots"
PICTURES: Final = ROOT / "docs" / "pictures"
MOST_BYTES: Final = 150_000
QUALITIES: Final = (90, 80, 70, 60)
# left, top, right, bottom of the sidebar in a window of 1280 x 800
PANEL: Final = (764, 84, 1050, 470)
TALL_PANEL: Final = (764, 84, 1050, 720)
DIALOG: Final = (0, 370, 525, 790)  # opens at the mouse, in the corner
VIEW: Final = (0, 30, 1052, 720)
WINDOW: Final = (0, 0, 1280, 800)


class Scenario(NamedTuple):
    """One run of the driver.

    Attributes:
        pictures: screenshot -> part of it that becomes a picture of the same name.
        needs: environment variables without which it is left out.
        installs: it installs the zip itself, in the window.
        prepares: environment variable for a folder that NAME_data.py fills first.
        runs_engine: the engine of `.env` works in it, so that the window must see its Python.
    """

    pictures: dict[str, tuple[int, int, int, int]]
    needs: tuple[str, ...] = ()
    installs: bool = False
    prepares: str = ""
    runs_engine: bool = False


ALL: Final = {
    "panel": Scenario(
        {
            "panel-idle": PANEL,
            "panel-no-model": PANEL,
            "panel-error": PANEL,
            "panel-photos": PANEL,
            "panel-models": TALL_PANEL,
            "panel-running": VIEW,
            "panel-result": VIEW,
            "panel-drop": VIEW,
            "camera": VIEW,
        }
    ),
    "set_up": Scenario(
        {
            "set-up-missing": PANEL,
            "set-up-offline": DIALOG,
            "set-up-running": PANEL,
            "set-up-failed": PANEL,
            "set-up-done": PANEL,
        },
        needs=("DA3_PACKAGES", "DA3_PYTHON"),
    ),
    "long_shot": Scenario(
        {"long-shot-early": VIEW, "long-shot-open": VIEW, "long-shot-closed": VIEW},
        prepares="LONG_SHOT",
    ),
    "matchmove": Scenario(
        {"matchmove-result": WINDOW, "matchmove-middle": WINDOW},
        needs=("MATCHMOVE_FRAMES",),
        runs_engine=True,
    ),
    "whole_way": Scenario({"window": WINDOW}, needs=("DA3_PACKAGES", "DA3_PYTHON"), installs=True),
}


def compress(shot: Path, box: tuple[int, int, int, int], path: Path) -> int:
    """Write a part of a screenshot as WebP, with the best quality that is small enough.

    Returns:
        Bytes.
    """
    from PIL import Image

    with Image.open(shot) as whole:
        part = whole.convert("RGB").crop(box)
    for quality in QUALITIES:
        part.save(path, quality=quality, method=6)
        if path.stat().st_size < MOST_BYTES:
            break
    return path.stat().st_size


def run(driver: Path, name: str, archive: Path, seconds: int) -> bool:
    """Run one scenario and write its pictures; return whether all is well."""
    scenario = ALL[name]
    missing = [variable for variable in scenario.needs if not os.environ.get(variable)]
    if missing:
        print(f"{name}: left out, it needs {' and '.join(missing)} (see its docstring)")
        return True
    with tempfile.TemporaryDirectory(prefix="da3-screenshots-") as out:
        folders = [str(ROOT), str(archive.parent)]
        if scenario.installs:
            folders += [os.environ["DA3_PACKAGES"], sys_prefix(Path(os.environ["DA3_PYTHON"]))]
        if scenario.runs_engine:
            folders.append(sys_prefix(ROOT / ".env" / "engine" / "bin" / "python"))
        command = [str(driver), "-t", str(seconds), "-o", out]
        command += [word for folder in folders for word in ("-m", folder)]
        if not scenario.installs:
            command += ["-z", str(archive), "-c", "DA3"]
        environment = {"DA3_INPUT": str(ROOT / "samples" / "courtyard"), **os.environ}
        environment["DA3_ZIP"] = str(archive)
        if scenario.prepares:
            data = Path(out) / "data"
            script = SCENARIOS / f"{name}_data.py"
            subprocess.run([sys.executable, "-P", str(script), str(data)], check=True)
            environment[scenario.prepares] = str(data)
        process = subprocess.run(
            [*command, str(SCENARIOS / f"{name}.py")], env=environment, check=False
        )
        if process.returncode:
            print(f"{name}: the driver ended with {process.returncode}")
            return False
        for shot, box in scenario.pictures.items():
            path = PICTURES / f"{shot}.webp"
            print(f"{path.name}: {compress(Path(out) / f'{shot}.png', box, path) / 1000:.0f} kB")
    return True


def sys_prefix(python: Path) -> str:
    """Return the folder that holds all of a Python."""
    command = [str(python), "-c", "import sys; print(sys.base_prefix)"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> int:
    """Make all pictures, or those of the scenarios that are named."""
    parser = argparse.ArgumentParser(description="Make the documentation's pictures.")
    parser.add_argument("scenarios", nargs="*", choices=[[], *ALL], help="default: all")
    parser.add_argument("--driver", default="", help="program that starts a Blender with a window")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="folder with the zips")
    parser.add_argument("--seconds", type=int, default=560, help="limit for one scenario")
    options = parser.parse_args()
    driver = Path(options.driver).expanduser() if options.driver else None
    if driver is None or not os.access(driver, os.X_OK):
        print(
            "Pictures need a driver: a program that starts a Blender with a window and runs a "
            "scenario in it.\nIt is not part of this repository; docs/architecture.md says what "
            "it is called with.\nThen: make screenshots DRIVER=/path/to/driver"
        )
        return 2
    archives = sorted(options.dist.glob("*linux_x64.zip"))
    if not archives:
        print(f"There is no zip in {options.dist}: make build")
        return 2
    PICTURES.mkdir(exist_ok=True)
    chosen = options.scenarios or list(ALL)
    done = [run(driver, name, archives[-1], options.seconds) for name in chosen]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine for pictures of a long run: the real worker, which shows what was computed before.

Runs in any Python that has numpy; LONG_SHOT names the folder that `long_shot_data.py` has written.
It goes on whenever the file `go` beside the states holds a larger number than that of the state.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from da3_blender.contract.errors import CancelledError
from da3_blender.contract.live import LIVE_FILE
from da3_blender.worker.loop import serve

if TYPE_CHECKING:
    from da3_blender.contract.progress import Progress
    from da3_blender.contract.settings import RunSettings

_KEYS = ("cameras", "views", "points", "drift", "loops")


class Replay:
    """Shows state after state."""

    def check(self, _settings: RunSettings, _progress: Progress) -> dict[str, Any]:
        """Find nothing to say."""
        return {"folder": "", "views": 0, "width": 0, "height": 0, "findings": []}

    def run(self, _settings: RunSettings, progress: Progress) -> dict[str, Any]:
        """Show all states, each when the scenario wants it, and end as cancelled runs do."""
        folder = Path(os.environ["LONG_SHOT"])
        states = sorted(folder.glob("state_*.json"))
        progress.plan([("Depth and cameras", 1.0)])
        progress.begin("Depth and cameras")
        for number, state in enumerate(states):
            while int((folder / "go").read_text(encoding="utf-8")) <= number:
                time.sleep(0.05)
            part = folder / "part.json"
            shutil.copy(state, part)
            part.replace(folder / LIVE_FILE)
            content = json.loads(state.read_text(encoding="utf-8"))
            found = {key: content.get(key) for key in _KEYS}
            progress.show({**found, "live": str(folder / LIVE_FILE)})
            share = 0.85 * found["cameras"] / found["views"]
            detail = f"{found['cameras']} of {found['views']} frames"
            progress.report(share, detail, force=True)
        while not progress.is_cancelled():
            time.sleep(0.05)
        raise CancelledError

    def abandon(self) -> None:
        """Nothing is left behind: nothing was written."""


if __name__ == "__main__":
    serve(Replay)

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all actions of the installer share: the request, the folders, uv, progress.

Runs in the installer.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.engine_home import EngineHome
from .uv import Uv

if TYPE_CHECKING:
    import threading

    from ..contract.progress import Progress
    from ..contract.setup_request import SetupRequest
    from .programs import Programs


@dataclass(frozen=True)
class Work:
    """One request being carried out.

    Attributes:
        request: what to do.
        programs: starts uv and Python.
        progress: tells Blender's side.
        cancelled: set when the user cancels.
    """

    request: SetupRequest
    programs: Programs
    progress: Progress
    cancelled: threading.Event

    @property
    def home(self) -> EngineHome:
        """The folders."""
        return EngineHome(Path(self.request.home))

    @functools.cached_property
    def uv(self) -> Uv:
        """The program that resolves and installs; looked for when it is first needed.

        Raises:
            EngineError: there is none.
        """
        return Uv(self.programs, self.request, self.home)

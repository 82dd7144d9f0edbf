# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where one build happens: the root, the choices, and what is changed only at the end.

Runs in Blender.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpy.types import Object

    from .build_options import BuildOptions
    from .extent import Extent


@dataclass
class Site:
    """One build in progress.

    New objects are made at once; what exists already is changed only when nothing can fail any
    more, so that a failure leaves it as it was.

    Args:
        root: of the reconstruction.
        options: of the build.
        extent: sizes of the reconstruction.
        only: names of the views to update; empty means all.
        notes: sentences that the user should read.
        later: changes of existing objects.
        last: what needs a view layer that knows the new objects.
    """

    root: Object
    options: BuildOptions
    extent: Extent
    only: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)
    later: list[Callable[[], object]] = field(default_factory=list)
    last: list[Callable[[], object]] = field(default_factory=list)

    def do(self, action: Callable[[], object], *, is_new: bool) -> None:
        """Do something to a new object now, to an existing one at the end."""
        if is_new:
            action()
        else:
            self.later.append(action)

    def link(self, ob: Object) -> None:
        """Put a new object beside the root and below it."""
        ob.parent = self.root
        self.root.users_collection[0].objects.link(ob)

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take home folders and user names out of text.

Runs in both processes: logs of the engine and the report of Blender's side.
"""

from __future__ import annotations

import os
import re
from typing import Final

MASK: Final = "<user>"
# Names that many machines share tell nothing, and are words of our own sentences.
_PUBLIC_NAMES: Final = frozenset({"root", "user", "users", "home", "admin", "administrator"})
_SHORTEST_NAME: Final = 3  # shorter names would mask half of all words
# The folder of a user, also where a path is printed escaped; Windows allows spaces in names.
_HOME_PATTERNS: Final = (
    re.compile(r"(?P<parent>(?<![\w.~])/(?:home|Users)/)(?P<name>[^\\/\s\"'<>:,;)]+)"),
    re.compile(
        r"(?P<parent>\b[A-Z]:[\\/]+(?:Users|Documents and Settings)[\\/]+)"
        r"(?P<name>[^\\/\r\n\"'<>|:]+(?=[\\/])|[^\\/\s\"'<>|:,;)]+)",
        re.IGNORECASE,
    ),
)


def mask_private(text: str) -> str:
    """Replace the home folder by `~` and user names by a mask, for text that gets published.

    Home folders of other users and other systems are masked too.
    """
    home = os.path.expanduser("~").rstrip("\\/")  # noqa: PTH111 - Path.home() can raise
    if len(home) > 1:
        pieces = [re.escape(piece) for piece in re.split(r"[\\/]+", home)]
        text = re.sub(r"[\\/]+".join(pieces) + r"(?!\w)", "~", text, flags=re.IGNORECASE)
    for pattern in _HOME_PATTERNS:
        text = pattern.sub(lambda found: found["parent"] + MASK, text)
    for name in _find_user_names(home):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", MASK, text, flags=re.IGNORECASE)
    return text


def _find_user_names(home: str) -> list[str]:
    names = {os.environ.get(key, "") for key in ("USER", "LOGNAME", "USERNAME")}
    names.add(re.split(r"[\\/]", home)[-1])
    return sorted(
        (n for n in names if len(n) >= _SHORTEST_NAME and n.lower() not in _PUBLIC_NAMES),
        key=len,
        reverse=True,
    )

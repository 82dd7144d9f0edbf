# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the builder wrote last on an object, so that what the user changed since then stays.

Runs in Blender. The record lies in a custom property of the object itself: it is saved, copied
and undone with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mathutils import Matrix

from ..contract import names

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpy.types import ID, Object

_TOLERANCE: Final = 1e-5  # relative; Blender keeps single precision
_POSE: Final = "pose"


class Written:
    """The record of one data-block.

    Args:
        block: carries the record; may be new.
    """

    def __init__(self, block: ID) -> None:
        self._block = block
        stored = block.get(names.PROP_WRITTEN)
        self._values: dict[str, Any] = {} if stored is None else stored.to_dict()

    def knows(self, key: str) -> bool:
        """Tell whether the builder ever wrote this."""
        return key in self._values

    def read(self, key: str) -> Any:  # noqa: ANN401 - whatever was written
        """Return what was written last, or None."""
        return self._values.get(key)

    def note(self, key: str, value: float | str | list[float]) -> None:
        """Remember something without writing it anywhere."""
        self._values[key] = value
        self._block[names.PROP_WRITTEN] = self._values

    def put(self, owner: Any, name: str, value: Any, key: str = "") -> bool:  # noqa: ANN401 - any RNA
        """Set a property, unless the user has changed it since the last time.

        Args:
            owner: has the property.
            name: of the property.
            value: number, word, or a data-block.
            key: name in the record, where that of the property is not enough.

        Returns:
            Whether it was set.
        """
        return self.put_by(
            key or name, lambda: getattr(owner, name), lambda new: setattr(owner, name, new), value
        )

    def put_by(
        self,
        key: str,
        get: Callable[[], Any],
        put: Callable[[Any], None],
        value: Any,  # noqa: ANN401 - number, word, or a data-block
    ) -> bool:
        """Set a value through two functions, unless the user has changed it; see `put`."""
        if key in self._values and not _is_same(_to_plain(get()), self._values[key]):
            return False
        put(value)
        self.note(key, _to_plain(get()))
        return True

    def place(self, ob: Object, matrix: Matrix) -> None:
        """Set an object's place below its parent; a move that the user made is made again.

        Args:
            ob: of the record.
            matrix: (4, 4), as Blender's `matrix_basis`.
        """
        last = self._values.get(_POSE)
        if last is None or not self.is_moved(ob):
            ob.matrix_basis = matrix
            self.note(_POSE, _flatten(ob.matrix_basis))
            return
        before = Matrix([last[4 * row : 4 * row + 4] for row in range(4)])
        ob.matrix_basis = ob.matrix_basis @ before.inverted() @ matrix
        self.note(_POSE, _flatten(matrix))

    def is_moved(self, ob: Object) -> bool:
        """Tell whether the user has moved an object since it was placed."""
        last = self._values.get(_POSE)
        return last is not None and not _is_same(_flatten(ob.matrix_basis), last)


def _flatten(matrix: Matrix) -> list[float]:
    return [float(value) for row in matrix for value in row]


def _to_plain(value: Any) -> Any:  # noqa: ANN401 - any property
    """Return what a custom property can hold: a data-block becomes its name."""
    if value is None:
        return ""
    return getattr(value, "name_full", value)


def _is_same(value: Any, other: Any) -> bool:  # noqa: ANN401 - any two values
    if isinstance(value, (list, tuple)):
        return len(value) == len(other) and all(map(_is_same, value, other))
    if isinstance(value, float) and isinstance(other, (int, float)):
        return abs(value - other) <= _TOLERANCE * max(1.0, abs(value), abs(other))
    return value == other

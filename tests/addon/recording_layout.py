# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A layout that writes down what a panel draws and checks every word of it against Blender.

Blender draws panels only in a window. This one knows from Blender's own description of its
layouts which calls and keywords there are, which icons, operators and properties; a wrong name
fails here as it would fail there.
"""

from __future__ import annotations

from typing import Any

import bpy

_FUNCTIONS = bpy.types.UILayout.bl_rna.functions
_SETTABLE = {p.identifier for p in bpy.types.UILayout.bl_rna.properties if not p.is_readonly}


class OperatorChoices:
    """What a drawn operator returns: its properties can be set, if they exist."""

    def __init__(self, names: set[str]) -> None:
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "values", {})

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self.names, f"the operator has no {name}"
        self.values[name] = value


class RecordingLayout:
    """Stands in for a `UILayout`; everything below it writes into one list.

    Args:
        parent: layout that made this one; None for the outermost.
    """

    def __init__(self, parent: RecordingLayout | None = None) -> None:
        self.drawn: list[tuple[str, Any, bool]] = [] if parent is None else parent.drawn
        self.opened: set[str] = set() if parent is None else parent.opened
        object.__setattr__(self, "parent", parent)
        object.__setattr__(self, "is_on", True)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("drawn", "opened"):
            object.__setattr__(self, name, value)
            return
        assert name in _SETTABLE, f"a layout has no {name}"
        if name == "enabled":
            object.__setattr__(self, "is_on", bool(value))
        object.__setattr__(self, f"_{name}", value)

    @property
    def enabled(self) -> bool:
        """Whether this layout and all around it are enabled."""
        return self.is_on and (self.parent is None or self.parent.enabled)

    def _check(self, name: str, keywords: dict[str, Any]) -> None:
        known = {parameter.identifier: parameter for parameter in _FUNCTIONS[name].parameters}
        for key, value in keywords.items():
            assert key in known, f"{name} has no {key}"
            if key in ("icon", "type"):
                allowed = {item.identifier for item in known[key].enum_items}
                assert value in allowed, f"{name} has no {key} {value}"
            if key == "text":
                assert isinstance(value, str)

    def _write(self, kind: str, content: Any) -> None:
        self.drawn.append((kind, content, self.enabled))

    def _nest(self, name: str, **keywords: Any) -> RecordingLayout:
        self._check(name, keywords)
        return RecordingLayout(self)

    def row(self, **keywords: Any) -> RecordingLayout:
        return self._nest("row", **keywords)

    def column(self, **keywords: Any) -> RecordingLayout:
        return self._nest("column", **keywords)

    def box(self) -> RecordingLayout:
        return self._nest("box")

    def split(self, **keywords: Any) -> RecordingLayout:
        return self._nest("split", **keywords)

    def grid_flow(self, **keywords: Any) -> RecordingLayout:
        return self._nest("grid_flow", **keywords)

    def panel(self, idname: str, *, default_closed: bool = False) -> tuple[Any, Any]:
        """Open it, so that all of it is drawn; closed ones are in `opened`."""
        self.opened.add(idname)
        return RecordingLayout(self), RecordingLayout(self)

    def separator(self, **keywords: Any) -> None:
        self._check("separator", keywords)

    def label(self, **keywords: Any) -> None:
        self._check("label", keywords)
        self._write("label", keywords.get("text", ""))

    def progress(self, **keywords: Any) -> None:
        self._check("progress", keywords)
        assert 0 <= keywords["factor"] <= 1
        self._write("progress", keywords.get("text", ""))

    def operator(self, idname: str, **keywords: Any) -> OperatorChoices:
        self._check("operator", keywords)
        group, name = idname.split(".")
        kind = getattr(getattr(bpy.ops, group), name).get_rna_type()
        self._write("operator", idname)
        return OperatorChoices({p.identifier for p in kind.properties})

    def prop(self, data: Any, name: str, **keywords: Any) -> None:
        self._check("prop", keywords)
        assert name in data.bl_rna.properties, f"there is no property {name}"
        self._write("prop", name)

    def prop_enum(self, data: Any, name: str, value: str, **keywords: Any) -> None:
        self._check("prop_enum", keywords)
        items = {item.identifier for item in data.bl_rna.properties[name].enum_items}
        assert value in items, f"{name} has no {value}"
        self._write("prop_enum", (name, value))

    def prop_search(self, data: Any, name: str, source: Any, collection: str, **kw: Any) -> None:
        self._check("prop_search", kw)
        assert name in data.bl_rna.properties
        assert hasattr(source, collection)
        self._write("prop", name)


class Drawn:
    """What a panel has drawn.

    Args:
        layout: that it drew into.
    """

    def __init__(self, layout: RecordingLayout) -> None:
        self.items = layout.drawn

    def list_kind(self, kind: str) -> list[Any]:
        """Return all of one kind, in order."""
        return [content for found, content, _ in self.items if found == kind]

    @property
    def text(self) -> str:
        """All labels and bars as one text; sentences that were wrapped are whole again."""
        shown = [str(content) for kind, content, _ in self.items if kind in ("label", "progress")]
        return " ".join(shown)

    @property
    def operators(self) -> list[str]:
        """Ids of all operators."""
        return self.list_kind("operator")

    def is_enabled(self, content: Any) -> bool:
        """Tell whether something is drawn and not greyed."""
        states = [state for _, found, state in self.items if found == content]
        assert states, f"{content} is not drawn"
        return all(states)


def draw_panel(panel: type) -> Drawn:
    """Draw a panel class and return what it drew."""
    layout = RecordingLayout()

    class Stand:
        """Has the layout in the place where a panel has it."""

    stand = Stand()
    stand.layout = layout
    panel.draw(stand, bpy.context)
    if hasattr(panel, "draw_header_preset"):
        panel.draw_header_preset(stand, bpy.context)
    return Drawn(layout)

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house's walls: who imports whom, and the lines that every file begins with."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STDLIB = set(sys.stdlib_module_names)
ENGINE = {
    "contract", "network", "inference", "media", "solve", "streaming", "exports", "pipeline",
    "evaluation", "splats", "flights", "camera_files",
}  # fmt: skip

# package -> (packages of ours, third party); handbook section 2, decision 0002 for media, pipeline,
# decision 0005 for splats, decision 0008 for flights
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "contract": ({"contract"}, {"numpy"}),
    "network": ({"network", "contract.errors"}, {"torch", "xformers"}),
    "inference": (
        {"inference", "network", "contract"},
        {"torch", "numpy", "PIL", "safetensors", "huggingface_hub", "gsplat"},
    ),
    "media": (
        {"media", "contract"},
        {"numpy", "PIL", "simplejpeg", "pillow_heif", "av", "OpenEXR"},
    ),
    "solve": ({"solve", "contract"}, {"pycolmap", "numpy", "scipy"}),
    "streaming": ({"streaming", "inference", "contract"}, {"torch", "numpy", "scipy"}),
    "splats": ({"splats", "contract"}, {"numpy"}),
    "flights": ({"flights", "contract"}, {"numpy"}),
    "camera_files": ({"camera_files", "contract"}, {"numpy"}),
    "exports": (
        {"exports", "splats", "flights", "camera_files", "contract"},
        {"numpy", "PIL", "OpenEXR"},
    ),
    "pipeline": (ENGINE - {"evaluation"}, {"numpy"}),
    "evaluation": (
        {"evaluation", "pipeline", "inference", "media", "solve", "contract"},
        {"numpy", "scipy"},
    ),
    "worker": (ENGINE | {"worker"}, {"numpy", "torch"}),
    "cli": (ENGINE | {"cli"}, {"numpy"}),
    "__main__": ({"cli"}, set()),
    "client": ({"client", "contract"}, set()),
    "installer": ({"installer", "contract"}, set()),
    "scene": (
        {"scene", "splats", "flights", "camera_files", "contract"},
        {"bpy", "bpy_extras", "mathutils", "blf", "gpu", "gpu_extras", "numpy"},
    ),
    "operators": (
        {"operators", "client", "scene", "splats", "flights", "camera_files", "contract"},
        {"bpy", "bpy_extras", "mathutils"},
    ),
    "panels": (
        {"panels", "client", "scene.properties", "scene.splat_inputs", "contract"},
        {"bpy"},
    ),
}
# one file each may import these
ONE_FILE = {"xformers": "network", "gsplat": "inference"}


def list_files() -> list[Path]:
    """All Python files that belong to the extension."""
    folders = [ROOT / "da3_blender", ROOT / "operators", ROOT / "panels"]
    return [ROOT / "__init__.py", *(p for f in folders for p in sorted(f.rglob("*.py")))]


def find_package(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] != "da3_blender":
        return parts[0]
    return parts[1] if len(parts) > 1 else "da3_blender"


def resolve_relative(path: Path, node: ast.ImportFrom) -> str:
    """Return the dotted name, from the repository root, that a relative import means."""
    package = list(path.relative_to(ROOT).with_suffix("").parts)
    package = package[: len(package) - node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def find_imports(path: Path) -> list[tuple[bool, str, int]]:
    """Return (ours, dotted name without da3_blender, line) of each import."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(False, alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append((False, node.module or "", node.lineno))
        elif isinstance(node, ast.ImportFrom):
            base = resolve_relative(path, node)
            for alias in node.names:
                name = f"{base}.{alias.name}" if base else alias.name
                found.append((True, name.removeprefix("da3_blender."), node.lineno))
    return found


@pytest.mark.parametrize("path", list_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_table(path):
    package = find_package(path)
    if package not in ALLOWED:  # the two __init__.py at the top
        assert package in ("__init__", "da3_blender")
        return
    ours, third = ALLOWED[package]
    wrong = []
    for is_ours, name, line in find_imports(path):
        if is_ours:
            good = any(name == a or name.startswith(a + ".") for a in ours)
        else:
            top = name.split(".")[0]
            assert top != "da3_blender", f"{path}:{line} imports {name}: use a relative import"
            good = top in STDLIB or top in third
        if not good:
            wrong.append(f"line {line}: {name}")
    assert not wrong, f"{package} must not import: {wrong}"


# what trains the small network stands outside the extension and imports it by its full name
TRAINING_OURS = {"training", "da3_blender.network", "da3_blender.inference", "da3_blender.contract"}
TRAINING_THIRD = {"torch", "numpy", "safetensors"}
# one script draws, one hands worlds to the evaluation, one writes its numbers down, one measures
# as it does, and one needs the pictures of the self-test
TRAINING_MORE = {
    "plots": {"matplotlib"},
    "held_out": {"da3_blender.evaluation", "da3_blender.cli"},
    "card": {"da3_blender.evaluation"},
    "validation": {"da3_blender.evaluation.relative_pose"},
    "export": {"tools.write_self_test"},
}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "training").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_training_imports_network_inference_and_contract_only(path):
    allowed = TRAINING_OURS | TRAINING_THIRD | STDLIB | TRAINING_MORE.get(path.stem, set())
    wrong = [
        f"line {line}: {name}"
        for _, name, line in find_imports(path)
        if not any(name == a or name.startswith(a + ".") for a in allowed)
    ]
    assert not wrong, f"{path.name} must not import: {wrong}"


@pytest.mark.parametrize("library", sorted(ONE_FILE))
def test_optional_libraries_stay_in_one_file(library):
    users = [
        path
        for path in list_files()
        if any(not ours and name.split(".")[0] == library for ours, name, _ in find_imports(path))
    ]
    assert len(users) <= 1


def test_root_imports_nothing_at_module_level():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    imports = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    assert all(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in imports)


def test_every_file_begins_with_its_licence():
    skip = {".env", "out", "build", "dist"}
    files = [p for p in ROOT.rglob("*.py") if not skip & set(p.relative_to(ROOT).parts)]
    assert len(files) > 30
    for path in files:
        head = path.read_text(encoding="utf-8").split("\n", 2)
        assert head[0].startswith("# SPDX-FileCopyrightText:"), path
        assert head[1] == "# SPDX-License-Identifier: GPL-3.0-or-later", path


def test_no_module_has_a_name_that_says_nothing():
    nothing = {"utils", "helpers", "common", "misc", "manager", "base"}
    assert not [path for path in list_files() if path.stem in nothing]


def test_no_import_of_bpy_in_the_engine_and_none_of_torch_in_blender():
    for path in list_files():
        tops = {name.split(".")[0] for ours, name, _ in find_imports(path) if not ours}
        if find_package(path) in ENGINE | {"worker", "cli", "client", "installer"}:
            assert "bpy" not in tops, path
        else:
            assert "torch" not in tops, path

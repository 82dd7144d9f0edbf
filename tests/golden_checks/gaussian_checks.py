# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of Gaussians: the adapter, the file, camera flights; and of metric scale and sky.

Runs in the engine's environment.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import torch

from da3_blender.exports.gaussian_ply import PlyLayout, PlyOptions, write_gaussian_ply
from da3_blender.flights.camera_paths import (
    CameraPath,
    DollyZoom,
    dolly_zoom,
    interpolate_pair,
    measure_field_of_view,
    smooth_path,
    wander,
    wobble,
)
from da3_blender.flights.pose_interpolation import interpolate_pose
from da3_blender.inference.gaussians import (
    Gaussians,
    build_gaussians,
    build_harmonics_rotation,
    fit_scale_to_given,
)
from da3_blender.inference.metric_scale import (
    FARTHEST_SKY_M,
    apply_metric_scale,
    choose_scale_pixels,
    fit_metric_scale,
    mean_focal,
    metric_depth,
)
from da3_blender.inference.prediction import Prediction
from da3_blender.inference.sky import SKY_LEVEL, fill_sky

from .family_checks import compare_gaussians
from .fixture import Comparison, Fixture, NetworkCache

Array = np.ndarray

_LIMIT = 1e-5
_PLY_LIMIT = 5e-5
_HARMONICS_LIMIT = 5e-5


def check_gaussians(fixture: Fixture, _cache: NetworkCache) -> Comparison:
    """Compare the adapter without and with known cameras, and the rotation of harmonics."""
    result = Comparison()
    theirs = fixture.arrays
    for case in ("plain", "gt", "gt_clamped"):
        scale = 1.0
        if case != "plain":
            given = fixture.need(f"{case}_extrinsics")[0]
            scale = fit_scale_to_given(fixture.need("extrinsics")[0], given)
        ours = _build(fixture, scale)
        names = {n: f"{case}_{n}" for n in Gaussians._fields if f"{case}_{n}" in theirs}
        compare_gaussians(result, ours, {n: theirs[place][0] for n, place in names.items()})
    result.close("opacity_mapped", fixture.need("opacity"), fixture.need("opacity_mapped"), _LIMIT)
    rotations, coefficients = fixture.need("sh_rotations"), fixture.need("sh_in")
    turned = [build_harmonics_rotation(r) @ c for r, c in zip(rotations, coefficients, strict=True)]
    result.close(
        "sh_out", np.stack(turned), fixture.need("sh_out"), _HARMONICS_LIMIT, is_absolute=True
    )
    size = np.array([int(fixture.need_meta("width")), int(fixture.need_meta("height")), 1])
    K = fixture.need("intrinsics")[0] / size[:, None]
    result.close("fov", measure_field_of_view(K), fixture.need("fov"), _LIMIT)
    return result


def _build(fixture: Fixture, scale: float = 1.0) -> Gaussians:
    raw, opacity, depth = (
        torch.from_numpy(fixture.need(name)[0]) for name in ("raw", "opacity", "depth")
    )
    cameras = (fixture.need(name)[0] for name in ("extrinsics", "intrinsics"))
    return build_gaussians(raw, opacity, depth, *cameras, scale)


def check_ply(fixture: Fixture, _cache: NetworkCache) -> Comparison:
    """Write files in each mode, read them back and compare columns, rows and sums."""
    result = Comparison()
    gaussians, step = _build(fixture), int(fixture.need_meta("row_step"))
    thinned = {n: fixture.need(f"gs_{n}")[0] for n in Gaussians._fields}
    compare_gaussians(result, Gaussians(*(a[::step] for a in gaussians)), thinned)
    for mode, info in dict(fixture.need_meta("info")).items():
        call = info["call"]
        options = PlyOptions(
            layout=_choose_layout(call),
            drops_border=call["prune_border_gs"],
            depth_quantile=call["prune_by_depth_percent"],
            view_step=call.get("gs_views_interval"),
            is_centred=call.get("shift_and_scale", False),
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "gaussians.ply"
            write_gaussian_ply(path, gaussians, fixture.need("depth")[0], options)
            columns, rows = read_ply(path)
        result.same(f"{mode} columns", columns, [info["properties"]])
        result.same(f"{mode} count", len(rows), [info["count"]])
        theirs = fixture.need(f"{mode}_rows")
        if len(rows[::step]) == len(theirs) and columns == info["properties"]:
            _compare_rows(result, mode, columns, rows[::step], theirs)
            wanted = fixture.need(f"{mode}_sum")
            if not any("rot" in name for name in columns):
                result.close(f"{mode} sum", rows.sum(axis=0), wanted, _PLY_LIMIT)
            size = np.abs(rows).sum(axis=0)
            error = np.abs(rows.sum(axis=0) - wanted) / np.where(size > 0, size, 1)
            result.close(f"{mode} sum", error, np.zeros_like(error), _PLY_LIMIT, is_absolute=True)
    return result


def _choose_layout(call: dict) -> PlyLayout:
    if call.get("match_3dgs_mcmc_dev"):
        return PlyLayout.DEGREE_3
    return PlyLayout.FLAT_COLOUR if call.get("save_sh_dc_only", True) else PlyLayout.FULL


def _compare_rows(
    result: Comparison, mode: str, columns: list[str], ours: Array, theirs: Array
) -> None:
    """Compare group by group, so that large numbers do not hide small ones."""
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(columns):
        groups.setdefault(re.sub(r"_?\d+$|^[xyz]$", "", name) or "position", []).append(index)
    for name, places in groups.items():
        a, b = ours[:, places], theirs[:, places]
        if name == "rot":
            a = a * np.where((a * b).sum(-1, keepdims=True) < 0, -1, 1)
            result.close(f"{mode} rot", a, b, 3e-4, is_absolute=True)
        else:
            result.close(f"{mode} {name}", a, b, _PLY_LIMIT)


def read_ply(path: Path) -> tuple[list[str], Array]:
    """Return the names of the columns and (rows, columns) float64 of a file of floats."""
    header, data = path.read_bytes().split(b"end_header\n", 1)
    lines = header.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    columns = [line.split()[2] for line in lines if line.startswith("property float ")]
    count = next(int(line.split()[2]) for line in lines if line.startswith("element vertex "))
    rows = np.frombuffer(data, "<f4").reshape(count, len(columns))
    return columns, rows.astype(np.float64)


def check_paths(fixture: Fixture, _cache: NetworkCache) -> Comparison:
    """Compare camera flights."""
    result = Comparison()
    meta = {name: dict(fixture.need_meta(name)) for name in ("wander", "dolly", "wobble")}
    views = CameraPath(
        fixture.need("c2w").astype(np.float64),
        fixture.need("intrinsics_normalised").astype(np.float64),
    )
    first = CameraPath(views.c2w[:1], views.K[:1])
    way = DollyZoom(meta["dolly"]["D_focus"], meta["dolly"]["max_disp"], matches_release=True)
    turn = meta["wander"]
    t = fixture.need("interp_t").astype(np.float64)
    paths = {
        "wander": wander(first, turn["w"], turn["frames"], turn["max_disp"]),
        "dolly": dolly_zoom(first, meta["dolly"]["frames"], way),
        "smooth": smooth_path(views, fixture.need_meta("smooth")["k_size"]),
        "smooth3": smooth_path(views, fixture.need_meta("smooth3")["k_size"]),
        "interp": interpolate_pair(views, 0, 1, t),
        "wobble": wobble(views, meta["wobble"]["n_skip"], meta["wobble"]["inter_len"]),
    }
    for name, path in paths.items():
        for part, value in (("c2w", path.c2w), ("k", path.K)):
            if f"{name}_{part}" in fixture.arrays:
                theirs = fixture.arrays[f"{name}_{part}"]
                result.close(f"{name}_{part}", value, theirs.reshape(-1, *value.shape[1:]), _LIMIT)
    # parallel viewing directions: the path meets both ends, so they tell what went in
    parallel = fixture.need("interp_parallel_c2w").astype(np.float64)
    ours = interpolate_pose(parallel[0], parallel[-1], t)
    result.close("interp_parallel_c2w", ours, parallel, _LIMIT)
    return result


def check_scale_and_sky(fixture: Fixture, _cache: NetworkCache) -> Comparison:
    """Compare each step from metric depth to a scaled scene with its sky."""
    result = Comparison()
    depth, confidence, raw, sky, K = (
        fixture.need(name)[0] for name in ("depth", "conf", "metric", "sky", "intrinsics")
    )
    is_sky = sky >= SKY_LEVEL
    metres = metric_depth(raw, mean_focal(K))
    mask = choose_scale_pixels(depth, confidence, metres, is_sky)
    scale = fit_metric_scale(depth, confidence, metres, is_sky, matches_release=True)
    w2c = np.tile(np.eye(4), (len(depth), 1, 1))
    w2c[:, :3] = fixture.need("extrinsics")[0]
    blank = np.zeros(0)
    plain = Prediction(depth, confidence, w2c, K, blank, blank, blank)
    nested = apply_metric_scale(plain, scale, is_sky)
    ours = {
        "metric_scaled": metres,
        "non_sky": ~is_sky,
        "median_conf": np.median(confidence[~is_sky]),
        "align_mask": mask,
        "scale": scale.scale,
        "nested_depth": nested.depth,
        "nested_conf": nested.confidence,
        "nested_extrinsics": nested.w2c[:, :3],
        "nested_scale": nested.scale_factor,
        "nested_far_sky_value": FARTHEST_SKY_M,
        "mono_depth": fill_sky(depth, sky, is_joint=True),
    }
    for name, value in ours.items():
        theirs = fixture.need(name)
        result.close(name, value, theirs[0] if theirs.ndim else theirs, _LIMIT)
    for name, count in (("mono_few_changed", 10), ("mono_eleven_changed", 11)):
        few = np.zeros_like(sky)
        few.reshape(-1)[:count] = 1.0
        is_changed = not np.array_equal(fill_sky(depth, few, is_joint=True), depth)
        result.same(name, is_changed, [bool(fixture.need(name))])
    return result

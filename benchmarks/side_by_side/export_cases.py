# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing results to disk: seconds per file format.

Runs in the benchmark's environment. To add a format of ours, give its upstream call in
`_list_upstream` a partner in `_list_ours` under the same name.
"""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from .gate import GateError
from .missing_libraries import stand_in
from .network_cases import make_time_row
from .pictures import NETWORK_SIZE, load_network_pictures
from .plan import SAMPLES
from .rows import NOT_BUILT, Row, format_seconds
from .timing import take_turns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from depth_anything_3.specs import Prediction

    from .plan import Plan

GROUP = "Results to disk"
_ARRAYS = "depth, confidence, cameras of 10 views (mini_npz; results folder)"
_NPZ = "the same as one file (mini_npz; npz, not compressed)"
_COLMAP = "COLMAP model of 2 views"
_PLY = "3DGS PLY of 1 view"
_TARGETS = {_ARRAYS: 40.0, _NPZ: 40.0, _COLMAP: 15.0, _PLY: 12.0}


def measure_exports(plan: Plan) -> list[Row]:
    """Compare what writes the same things; upstream alone where ours is not built."""
    folder = plan.folder / "exports"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    upstream, ours = _list_upstream(folder), _list_ours(folder)
    rows = []
    for name, call in upstream.items():
        plan.say(f"export: {name}")
        calls = {"upstream": call} | ({"ours": ours[name]} if name in ours else {})
        seconds = take_turns(calls, plan.rounds, warm_ups=1)
        target = _TARGETS[name]
        if name in ours:
            rows.append(make_time_row(GROUP, name, seconds["upstream"], seconds["ours"], target))
        else:
            figure = format_seconds(min(seconds["upstream"]))
            rows.append(Row(GROUP, name, figure, NOT_BUILT, target=target))
    _check_files(folder)
    shutil.rmtree(folder)
    return rows


def _list_upstream(folder: Path) -> dict[str, Callable[[], object]]:
    stand_in()
    from depth_anything_3.utils.export.colmap import export_to_colmap
    from depth_anything_3.utils.export.gs import export_to_gs_ply
    from depth_anything_3.utils.export.npz import export_to_mini_npz

    photos = [str(path) for path in sorted(SAMPLES.glob("*.jpg"))]

    two_views = _make_prediction(2)

    def write_colmap() -> None:
        # it changes the intrinsics that it is given
        own = replace(two_views, intrinsics=two_views.intrinsics.copy())
        export_to_colmap(own, str(folder), photos)

    write_npz = partial(_run_and_join, export_to_mini_npz, _make_prediction(10), str(folder))
    return {
        _ARRAYS: write_npz,
        _NPZ: write_npz,
        _COLMAP: write_colmap,
        _PLY: partial(export_to_gs_ply, _make_prediction(1, with_gaussians=True), str(folder)),
    }


def _list_ours(folder: Path) -> dict[str, Callable[[], object]]:
    from da3_blender.contract.result_folder import ResultWriter
    from da3_blender.exports.arrays_npz import write_npz
    from da3_blender.exports.gaussian_ply import PlyLayout, PlyOptions, write_gaussian_ply

    prediction = _make_prediction(10)
    result = {
        "depth": prediction.depth,
        "depth_confidence": prediction.conf,
        "w2c": prediction.extrinsics,
        "K": prediction.intrinsics,
    }
    with_gaussians = _make_prediction(1, with_gaussians=True)
    arrays = {name: x[0].numpy() for name, x in vars(with_gaussians.gaussians).items()}
    gaussians = SimpleNamespace(**arrays)
    options = PlyOptions(PlyLayout.FLAT_COLOUR, depth_quantile=0.9)  # what upstream writes

    def write_result() -> None:
        writer = ResultWriter(folder / "result")
        for name, array in result.items():
            writer.save_array(name, array)
        writer.finish({"views": []})

    ply = folder / "ours.ply"
    return {
        _ARRAYS: write_result,
        _NPZ: partial(write_npz, folder / "ours.npz", result),
        _COLMAP: partial(_write_colmap, folder / "ours", _make_prediction(2)),
        _PLY: partial(write_gaussian_ply, ply, gaussians, with_gaussians.depth, options),
    }


def _write_colmap(folder: Path, prediction: Prediction) -> None:
    """Choose points as upstream does (60 % of the pixels) and write them with their cameras."""
    from da3_blender.exports.colmap_model import ColmapView, write_colmap_model
    from da3_blender.pipeline.fusion import fuse_depth

    photos = sorted(SAMPLES.glob("*.jpg"))[:2]
    sizes = [Image.open(path).size for path in photos]
    K, w2c = prediction.intrinsics, prediction.extrinsics
    limits = (40.0, 0.0, prediction.depth.size)
    cloud = fuse_depth(
        prediction.depth, prediction.conf, prediction.processed_images, (K, w2c), limits
    )
    scale = np.array([[w, h, 1] for w, h in sizes]) / (*NETWORK_SIZE, 1)
    write_colmap_model(
        folder,
        [ColmapView(path.name, *size) for path, size in zip(photos, sizes, strict=True)],
        (K * scale[:, :, None], w2c),
        cloud.positions,
        cloud.colours,
        cloud.view,
    )


def _run_and_join(call: Callable[..., object], *arguments: object) -> None:
    """Call what writes in a thread of its own, and wait until the file is complete."""
    before = set(threading.enumerate())
    call(*arguments)
    for thread in set(threading.enumerate()) - before:
        thread.join()


def _make_prediction(views: int, *, with_gaussians: bool = False) -> Prediction:
    """Return smooth depth with a little noise in upstream's type; all depths are positive."""
    stand_in()
    from depth_anything_3.specs import Gaussians, Prediction

    width, height = NETWORK_SIZE
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.linspace(0, 6, width), np.linspace(0, 4, height))
    depth = np.stack([2 + np.sin(x + v) * np.cos(y) for v in range(views)])
    depth = (depth + rng.normal(0, 0.01, depth.shape)).astype(np.float32)
    w2c = np.tile(np.eye(4, dtype=np.float32), (views, 1, 1))
    w2c[:, 0, 3] = np.arange(views) * 0.1
    K = np.array([[400, 0, width / 2], [0, 400, height / 2], [0, 0, 1]], np.float32)
    gaussians = None
    if with_gaussians:
        count = depth.size
        generator = torch.Generator().manual_seed(0)
        gaussians = Gaussians(
            means=torch.randn(1, count, 3, generator=generator),
            scales=torch.rand(1, count, 3, generator=generator) + 0.01,
            rotations=torch.randn(1, count, 4, generator=generator),
            harmonics=torch.randn(1, count, 3, 9, generator=generator),
            opacities=torch.rand(1, count, generator=generator) * 0.9 + 0.05,
        )
    return Prediction(
        depth=depth,
        is_metric=0,
        conf=(1 + rng.random(depth.shape)).astype(np.float32),
        extrinsics=w2c,
        intrinsics=np.tile(K, (views, 1, 1)),
        processed_images=np.stack(load_network_pictures(SAMPLES, views)),
        gaussians=gaussians,
    )


def _check_files(folder: Path) -> None:
    """Make sure that both wrote the same; upstream rounds depth to eight decimals."""
    from plyfile import PlyData

    with np.load(folder / "exports" / "mini_npz" / "results.npz") as file:
        theirs = file["depth"]
    ours = np.load(folder / "result" / "depth.npy")
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    _check_models(folder)
    theirs, ours = (
        PlyData.read(path)["vertex"].data
        for path in (folder / "gs_ply" / "0000.ply", folder / "ours.ply")
    )
    if theirs.dtype != ours.dtype or len(theirs) != len(ours):
        message = f"PLY files differ: {len(theirs)} and {len(ours)} of {theirs.dtype}, {ours.dtype}"
        raise GateError(message)
    for column in theirs.dtype.names:
        np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-5, atol=1e-5)


def _check_models(folder: Path) -> None:
    """Make sure that COLMAP reads both models alike; upstream's points lie half a pixel beside."""
    import pycolmap

    theirs, ours = (pycolmap.Reconstruction(str(place)) for place in (folder, folder / "ours"))
    for number in (1, 2):
        np.testing.assert_allclose(
            ours.cameras[number].params, theirs.cameras[number].params, rtol=1e-6
        )
        np.testing.assert_allclose(
            ours.images[number].cam_from_world().matrix(),
            theirs.images[number].cam_from_world().matrix(),
            atol=1e-6,
        )
    # a pixel exactly at the threshold may fall on either side
    if abs(len(ours.points3D) - len(theirs.points3D)) > 2:  # noqa: PLR2004
        message = f"COLMAP models have {len(theirs.points3D)} and {len(ours.points3D)} points"
        raise GateError(message)

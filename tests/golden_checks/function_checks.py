# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of single functions: embeddings, poses, references, rays, alignment, resizing.

Runs in the engine's environment.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.similarity import fit_sim3
from da3_blender.inference import given_cameras
from da3_blender.inference.gaussians import turn_rotations
from da3_blender.inference.preprocess import PATCH_SIZE, prepare_views
from da3_blender.inference.ray_pose import estimate_cameras_from_rays
from da3_blender.inference.weights import build_empty_network, official_key
from da3_blender.network import pose_encoding
from da3_blender.network.position import add_uv_embedding, resample_position_embedding
from da3_blender.network.presets import PRESETS
from da3_blender.network.reference_view import (
    STRATEGIES,
    order_from_reference,
    select_reference_view,
)
from da3_blender.network.rotary import build_rotation, rotate

from .fixture import Comparison, Fixture, FixtureError, NetworkCache, load_weights_module

Array = np.ndarray

_LIMIT = 1e-5
_RAY_LIMIT = 1e-4
_ONE_GREY_LEVEL = 0.018
_INTRINSICS_LIMIT = 1e-6


def check_weights(fixture: Fixture, _cache: NetworkCache) -> Comparison:
    """Compare the synthetic weights themselves with their hashes."""
    result = Comparison()
    weights = load_weights_module(fixture.path.parent.resolve())
    seed = int(fixture.meta.get("seed", 1))
    shapes = _find_inventories(fixture)
    for variant, checksums in dict(fixture.need_meta("checksums")).items():
        known = shapes.get(variant) or _list_own_shapes(variant)
        for key, wanted in checksums.items():
            if key in known:
                array = weights.tensor_for_key(key, known[key], seed)
                result.same(f"hash of {key}", weights.checksum(array), [wanted])
            else:
                result.remarks.append(f"shape of {variant} {key} not known")
    return result


def _list_own_shapes(variant: str) -> dict[str, tuple[int, ...]]:
    """Return key -> shape as our own network has them, for lack of an inventory."""
    if variant not in PRESETS:
        return {}
    state = build_empty_network(PRESETS[variant]).state_dict()
    return {official_key(name): tuple(value.shape) for name, value in state.items()}


def _find_inventories(fixture: Fixture) -> dict[str, dict]:
    """Return variant -> key -> shape from the inventories near the fixture or the checkout."""
    beside = Path(__file__).resolve().parents[2].parent / "shared"
    for place in (*fixture.path.resolve().parents, beside):
        folder = place / "spec" / "state_dicts"
        if folder.is_dir():
            files = (path for path in folder.glob("*.json") if path.stem != "aliases")
            return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}
    return {}


def check_embeddings(fixture: Fixture, _cache: NetworkCache) -> Comparison:
    """Compare position embeddings, sine maps and rotary positions."""
    result = Comparison()
    weights = load_weights_module(fixture.path.parent.resolve())
    backbone = PRESETS[str(fixture.need_meta("variant"))].backbone
    shape = (1, 1 + backbone.position_grid**2, backbone.width)
    key = "model.backbone.pretrained.pos_embed"
    stored = torch.from_numpy(weights.tensor_for_key(key, shape, int(fixture.need_meta("seed"))))
    step = int(fixture.meta.get("pos_channel_step", 1))
    for k, (rows, columns) in enumerate(fixture.need_meta("grids")):
        ours = resample_position_embedding(stored, rows, columns)[0, :, ::step]
        result.close(f"pos{k}", ours, fixture.need(f"pos{k}"), _LIMIT)
    down, across = fixture.meta.get("uv_steps", (1, 1))
    for k, (channels, rows, columns, height, image_width) in enumerate(fixture.need_meta("maps")):
        ours = add_uv_embedding(torch.zeros(1, channels, rows, columns), image_width / height)
        ours = ours[0].movedim(0, -1)[::down, ::across]
        result.close(f"uv{k}", ours, fixture.need(f"uv{k}"), _LIMIT)
    x, positions = (torch.from_numpy(fixture.need(n)) for n in ("rope_in", "rope_positions"))
    ours = [rotate(x[b : b + 1], build_rotation(positions[b], x.shape[-1])) for b in range(len(x))]
    result.close("rope_out", torch.cat(ours), fixture.need("rope_out"), _LIMIT)
    return result


def check_poses(fixture: Fixture, _cache: NetworkCache) -> Comparison:
    """Compare pose encodings, quaternions and decoded cameras."""
    result = Comparison()
    size = (int(fixture.need_meta("height")), int(fixture.need_meta("width")))

    def read(name: str) -> torch.Tensor:
        return torch.from_numpy(fixture.need(name)).double()

    w2c = pose_encoding.invert_rigid(read("c2w"))
    raw_w2c, raw_K = pose_encoding.encoding_to_cameras(read("raw_encoding"), size)
    ours = {
        "encoding": pose_encoding.cameras_to_encoding(w2c, read("intrinsics"), size),
        "raw_w2c": raw_w2c[..., :3, :],
        "raw_c2w": pose_encoding.invert_rigid(raw_w2c)[..., :3, :],
        "raw_intrinsics": raw_K,
        "quat_matrix": pose_encoding.quaternion_to_matrix(read("quat_xyzw")),
        "world_quat_wxyz": _turn_all(read("quat_xyzw"), read("c2w")[0, :, :3, :3])[None],
        "matrix_quat_xyzw": pose_encoding.matrix_to_quaternion(read("c2w")[0, :, :3, :3]),
    }
    for name, value in ours.items():
        result.close(name, value, fixture.need(name), _LIMIT)
    return result


def _turn_all(quaternions: torch.Tensor, rotations: torch.Tensor) -> torch.Tensor:
    pairs = zip(quaternions, rotations, strict=True)
    return torch.stack([turn_rotations(*pair) for pair in pairs])


def check_reference_views(fixture: Fixture, _cache: NetworkCache) -> Comparison:
    """Compare the choice of the reference view and the order that follows."""
    result = Comparison()
    chosen, acceptable = dict(fixture.need_meta("chosen")), fixture.meta.get("acceptable", {})
    for name, indices in chosen.items():
        strategy = next((s for s in STRATEGIES if name.startswith(s)), None)
        if strategy is None:
            msg = f"the strategy of {name} is unknown"
            raise FixtureError(msg)
        tokens = torch.from_numpy(fixture.need("cls" + name.removeprefix(strategy)))
        ours = select_reference_view(tokens, strategy).tolist()
        ties = acceptable.get(name, [[index] for index in indices])
        for scene, index in enumerate(ours):
            result.same(f"{name}[{scene}]", index, [*ties[scene], indices[scene]])
    source = fixture.meta.get("order_from")
    for name in (n for n in fixture.arrays if n.startswith("order")):
        reference = torch.from_numpy(fixture.need(f"{source}{name.removeprefix('order')}")).long()
        ours = order_from_reference(reference, fixture.arrays[name].shape[1])
        result.same(name, ours.tolist(), [fixture.arrays[name].tolist()])
    return result


def check_rays(fixture: Fixture, _cache: NetworkCache) -> Comparison:
    """Compare cameras from given rays, with the stored draws and with our own."""
    result = Comparison()
    info = dict(fixture.meta.get("info", {}))
    size = info.get("network_size") or fixture.meta.get("network_size")
    for case in sorted(n.removesuffix("_rays") for n in fixture.arrays if n.endswith("_rays")):
        rays, confidence, draws = (
            torch.from_numpy(fixture.need(f"{case}_{part}")) for part in ("rays", "conf", "draws")
        )
        spread = info.get(case, {}).get("spread_c2w", 0.0)
        for draw, limit in ((draws, _RAY_LIMIT), (None, 5e-3 if spread else _RAY_LIMIT)):
            cameras = estimate_cameras_from_rays(rays, confidence, ransac_draws=draw)
            for part in ("c2w", "focal", "centre"):
                name = f"{case}_{part}"
                result.close(name, getattr(cameras, part), fixture.need(name), limit)
            if draw is not None and f"{case}_net_w2c" in fixture.arrays:
                w2c = pose_encoding.invert_rigid(cameras.c2w)[None, :, :3]
                result.close(f"{case}_net_w2c", w2c, fixture.need(f"{case}_net_w2c"), _RAY_LIMIT)
                K, theirs = cameras.build_intrinsics(size), fixture.need(f"{case}_net_intrinsics")
                result.close(f"{case}_net_intrinsics", K[None], theirs, _RAY_LIMIT)
    return result


def check_alignment(fixture: Fixture, _cache: NetworkCache) -> Comparison:
    """Compare the normalisation of given cameras and the similarity fits."""
    result = Comparison()
    fits = {}
    for case in (n.removesuffix("_est") for n in fixture.arrays if n.endswith("_est")):
        reference, estimate = fixture.need(f"{case}_ref"), fixture.need(f"{case}_est")
        fit = fits[case] = given_cameras.align_cameras(reference, estimate)
        ours = {
            "r": fit.rotation,
            "t": fit.translation,
            "s": fit.scale,
            "aligned": fit.apply_to_w2c(estimate),
        }
        for part, value in ours.items():
            if f"{case}_{part}" in fixture.arrays:
                result.close(f"{case}_{part}", value, fixture.arrays[f"{case}_{part}"], _LIMIT)
        if f"{case}_plain_s" in fixture.arrays:
            plain = fit_sim3(_centres(estimate), _centres(reference))
            result.close(f"{case}_plain_s", plain.scale, fixture.arrays[f"{case}_plain_s"], _LIMIT)
    for name in (n for n in fixture.arrays if n.startswith("norm") and n.endswith("_in")):
        theirs = fixture.need(name.removesuffix("in") + "out")
        ours = np.stack([given_cameras.normalise_cameras(w2c) for w2c in fixture.arrays[name]])
        result.close(name.removesuffix("_in"), ours, theirs, _LIMIT)
    _check_batch(fixture, result)
    if "applied" in fixture.arrays and "ransac" in fits:
        ours = fits["ransac"].apply_to_w2c(fixture.need("ransac_est"))
        result.close("applied", ours, fixture.arrays["applied"], _LIMIT)
    return result


def _check_batch(fixture: Fixture, result: Comparison) -> None:
    """Compare the batched fit: the exact case and as many views of the noisy one."""
    if "batch_s" not in fixture.arrays or "exact_ref" not in fixture.arrays:
        return
    views = len(fixture.need("exact_ref"))
    for index, case in enumerate(("exact", "noisy")):
        fit = given_cameras.align_cameras(
            *(fixture.need(f"{case}_{side}")[:views] for side in ("ref", "est"))
        )
        ours = {"r": fit.rotation, "t": fit.translation, "s": fit.scale}
        for part, value in ours.items():
            name = f"batch_{part}"
            result.close(f"{name}[{index}]", value, fixture.need(name)[index], _LIMIT)


def _centres(w2c: Array) -> Array:
    return invert_rigid(w2c)[:, :3, 3]


def check_preprocess(fixture: Fixture, _cache: NetworkCache) -> Comparison:
    """Compare resized pictures and intrinsics."""
    result = Comparison()
    weights = load_weights_module(fixture.path.parent.resolve())
    for k, job in enumerate(fixture.need_meta("jobs")):
        pairs = zip(job["tags"], job["sizes"], strict=True)
        images = [weights.test_image_u8(tag, *size) for tag, size in pairs]
        views = prepare_views(images, job["process_res"], job["method"])
        if min(job["shape"][2:]) < PATCH_SIZE:
            wanted = [max(side, PATCH_SIZE) for side in job["shape"][2:]]
            result.same(f"size of job {k}", list(views.tensor.shape[2:]), [wanted])
            result.remarks.append(f"job {k}: a side below 14 becomes 14, pixels not compared")
            continue
        sample = views.tensor[:, :, :: job["step"], :: job["step"]]
        limit = _ONE_GREY_LEVEL
        result.close(f"j{k}_sample", sample, fixture.need(f"j{k}_sample"), limit, is_absolute=True)
        mean = views.tensor.mean(axis=(2, 3), dtype=np.float64)
        result.close(f"j{k}_mean", mean, fixture.need(f"j{k}_mean"), 1e-3, is_absolute=True)
        K = views.grid_from_original @ fixture.need(f"j{k}_intrinsics_in").astype(np.float64)
        theirs = fixture.need(f"j{k}_intrinsics_out")
        result.close(f"j{k}_intrinsics", K, theirs, _INTRINSICS_LIMIT)
    return result

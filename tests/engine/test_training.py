# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The training of da3-tiny: truth in the network's frame, steps that help, resume, export."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from da3_blender.inference.preprocess import normalise  # noqa: E402
from da3_blender.inference.weights import load_network  # noqa: E402
from da3_blender.network.any_view import AnyViewNetwork, ForwardOptions, NetworkOutput  # noqa: E402
from da3_blender.network.pose_encoding import encoding_to_cameras, invert_rigid  # noqa: E402
from da3_blender.network.presets import PRESETS  # noqa: E402
from training.batches import FIRST_TRAINING_SEED, Batches  # noqa: E402
from training.curriculum import CURRICULA, PERIOD, plan_step  # noqa: E402
from training.export import export_weights  # noqa: E402
from training.initial_weights import make_network, whiten_patches  # noqa: E402
from training.loop import CHECKPOINT, FINISH, LOG, PLATEAU, Trainer, TrainingSettings  # noqa: E402
from training.losses import compute_losses  # noqa: E402
from training.network_input import normalise_images  # noqa: E402
from training.optimization import Decay, Rates  # noqa: E402
from training.patch_head import _cut, compare_patches  # noqa: E402
from training.targets import make_known_cameras, make_targets  # noqa: E402
from training.worlds.views import make_views  # noqa: E402

TINY = PRESETS["da3-tiny"]
QUICK = Rates(peak=2e-3, matrix_peak=2e-3, warm_up_steps=3)


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors gain nothing from threads, and a shared machine loses."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_trainer(folder, **changes):
    settings = TrainingSettings(folder, curriculum="test", seed=3, workers=0, rates=QUICK)
    return Trainer(replace(settings, **changes))


@pytest.fixture(scope="module")
def batches():
    return Batches(3, "test")


@pytest.fixture
def truth():
    views = make_views(11, 3, (42, 56))
    depth, w2c, K = (x[None] for x in (views.depth, views.w2c, views.K))
    return views, make_targets(depth, w2c, K)


def perfect_output(targets):
    depth, rays = targets.depth.clone(), targets.rays.clone()
    depth[~targets.is_valid] = 1.0
    return NetworkOutput(
        depth=depth.requires_grad_(),
        confidence=torch.full_like(depth, 1 + 1e-6),
        pose_encoding=targets.encoding.clone(),
        rays=rays,
        ray_confidence=torch.full(rays.shape[:-1], 1 + 1e-6),
        features={},
        reference=None,
    )


def test_targets_are_in_the_first_cameras_frame_with_mean_distance_one(truth):
    views, targets = truth
    assert torch.allclose(targets.w2c[0, 0], torch.eye(4), atol=1e-5)
    assert torch.allclose(targets.rays[0, 0, ..., 3:], torch.zeros(3), atol=1e-5)
    w2c, K = encoding_to_cameras(targets.encoding, (42, 56))
    assert torch.allclose(w2c, targets.w2c, atol=1e-4)
    assert torch.allclose(K[0], views.K, atol=1e-2)
    # points lifted by the decoded cameras: their mean distance from the origin is 1
    y, x = torch.meshgrid(torch.arange(42) + 0.5, torch.arange(56) + 0.5, indexing="ij")
    pixels = torch.stack((x, y, torch.ones_like(x)), -1)
    local = (pixels @ torch.linalg.inv(K).transpose(-1, -2)[..., None, :, :]) * targets.depth[
        ..., None
    ]
    c2w = invert_rigid(w2c)
    points = local @ c2w[..., None, :3, :3].transpose(-1, -2) + c2w[..., None, None, :3, 3]
    distance = points.norm(dim=-1)[~targets.is_sky]
    assert distance.mean() == pytest.approx(1, abs=1e-3)


def test_the_truth_has_no_loss_and_anything_else_has_some(truth):
    _, targets = truth
    best = compute_losses(perfect_output(targets), targets)
    for term in best:
        assert float(term.detach()) == pytest.approx(0, abs=1e-4)
    output = perfect_output(targets)
    worse = {
        "depth": output._replace(depth=output.depth * 1.1),
        "rays": output._replace(rays=output.rays + 0.1),
        "camera": output._replace(pose_encoding=output.pose_encoding + 0.1),
        "points": output._replace(rays=output.rays + 0.1),
        "gradient": output._replace(depth=output.depth * 1.1),
    }
    for name, wrong in worse.items():
        losses = compute_losses(wrong, targets)
        assert getattr(losses, name).item() > 0.01 * (name != "gradient"), name
        assert float(losses.total) > float(best.total) + 1e-3, name


def test_sky_weighs_only_on_confidence(truth):
    _, targets = truth
    targets = targets._replace(is_valid=targets.is_valid.clone(), is_sky=targets.is_sky.clone())
    targets.is_valid[..., :10, :] = False
    targets.is_sky[..., :10, :] = True
    output = perfect_output(targets)
    shifted = output.depth.detach().clone()
    shifted[..., :10, :] += 3
    moved = compute_losses(output._replace(depth=shifted), targets)
    assert float(moved.total) == pytest.approx(0, abs=1e-4)
    sure = output._replace(confidence=torch.full_like(output.confidence, 5.0))
    assert float(compute_losses(sure, targets).sky) > 1


def test_pictures_reach_the_network_as_in_inference():
    views = make_views(2, 2, (28, 42))
    ours = normalise_images(views.images)
    assert torch.allclose(ours, torch.from_numpy(normalise(views.images.numpy())), atol=1e-6)


def test_known_cameras_are_normalised_as_in_inference(truth):
    views, _ = truth
    known = make_known_cameras(views.w2c[None])
    centres = invert_rigid(known)[0, :, :3, 3].norm(dim=-1)
    assert torch.allclose(known[0, 0], torch.eye(4), atol=1e-5)
    assert centres.sort().values[1] <= 1 + 1e-4


def test_gradients_reach_every_parameter_that_is_used(batches):
    network = make_network(TINY, seed=0)
    batch = batches[0]
    targets = make_targets(batch.depth, batch.w2c, batch.K)
    options = ForwardOptions(reference_view="first", wants_rays=True, views_per_chunk=100)
    for known in (False, True):
        cameras = (make_known_cameras(batch.w2c), batch.K) if known else (None, None)
        output = network(normalise_images(batch.images), *cameras, options)
        compute_losses(output, targets).total.backward()
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert not idle


def test_training_and_inference_compute_the_same(batches):
    """The in-place short cuts of inference change nothing."""
    network = make_network(TINY, seed=0)
    images = normalise_images(batches[1].images)
    options = ForwardOptions(reference_view="first", wants_rays=True, views_per_chunk=2)
    trained = network(images, options=options)
    with torch.inference_mode():
        inferred = network.eval()(images, options=options)
    for a, b in ((trained.depth, inferred.depth), (trained.rays, inferred.rays)):
        assert torch.allclose(a, b, atol=1e-5)


def test_whitened_filters_answer_alike_to_all_that_patches_differ_in(batches):
    network = make_network(TINY, seed=0)
    images = torch.cat(
        [normalise_images(batches[i].images).flatten(0, 1)[:, :, :28, :28] for i in range(4)]
    )
    embed = network.backbone["pretrained"].patch_embed
    spread = []
    for _ in range(2):
        tokens = embed(images).flatten(0, 1).detach()
        spread.append(torch.linalg.svdvals(tokens - tokens.mean(0))[:20])
        whiten_patches(network, images)
    before, after = (s[0] / s[-1] for s in spread)
    assert after < 1.5
    assert before > 5


def test_the_loss_falls(tmp_path, batches):
    trainer = make_trainer(tmp_path)
    first = [float(trainer.take_step(batches[i])[0].total) for i in range(3)]
    for _ in range(12):
        losses = [float(trainer.take_step(batches[i])[0].total) for i in range(3)]
    assert sum(losses) < 0.7 * sum(first)


def test_a_step_without_the_dense_head_leaves_it_alone_and_teaches_the_rest(tmp_path, batches):
    trainer = make_trainer(tmp_path)
    for has_known_cameras in (False, True):
        batch = batches[0]._replace(lesson="patches", has_known_cameras=has_known_cameras)
        trainer.compute(batch).total.backward()
    taught = {n for n, p in trainer.network.named_parameters() if p.grad is not None}
    assert not any(name.startswith("head.") for name in taught)
    assert {n.split(".")[0] for n in taught} == {"backbone", "cam_enc", "cam_dec"}
    assert trainer.patch_head.read.weight.grad.abs().sum() > 0


def test_a_new_patch_head_settles_before_it_teaches_weights_that_were_trained(tmp_path, batches):
    first = make_trainer(tmp_path / "first")
    for step in range(2):
        first.take_step(batches[step])
    first.save(CHECKPOINT)
    export_weights(tmp_path / "first" / CHECKPOINT, tmp_path / "weights")
    trainer = make_trainer(tmp_path / "again", start_from=tmp_path / "weights")
    images = normalise_images(batches[0].images)
    for later, is_taught in ((0, False), (1000, True)):
        trainer.progress.step = 2 + later
        trainer.trained.zero_grad()
        (depth, rays), _ = trainer._read_patches(images, (None, None))
        (depth.sum() + rays.sum()).backward()
        assert trainer.patch_head.read.weight.grad.abs().sum() > 0
        weight = trainer.network.backbone["pretrained"].blocks[0].attn.qkv.weight
        assert (weight.grad is not None) == is_taught


def test_patches_that_say_the_truth_have_no_loss(truth):
    _, targets = truth
    depth = _cut(targets.depth)
    rays = targets.rays[..., 3::8, 3::8, :] + targets.rays[..., 4::8, 4::8, :]
    said = (depth, (rays / 2).flatten(2, 3))
    for term in compare_patches(said, targets):
        assert float(term) == pytest.approx(0, abs=1e-5)
    for wrong in ((depth * 1.1, said[1]), (depth, said[1] + 0.1)):
        assert sum(float(term) for term in compare_patches(wrong, targets)) > 0.02


def test_the_depths_of_a_patch_are_those_of_its_quarters():
    maps = torch.arange(28 * 42).reshape(1, 1, 28, 42)
    patches = _cut(maps)
    assert patches.shape == (1, 1, 6, 4)
    for patch, (top, left) in enumerate(((0, 0), (0, 14), (0, 28), (14, 0), (14, 14), (14, 28))):
        wanted = [maps[0, 0, top + y, left + x] for y in (3, 10) for x in (3, 10)]
        assert patches[0, 0, patch].tolist() == wanted


def test_a_resumed_run_takes_the_same_next_step(tmp_path, batches):
    trainer = make_trainer(tmp_path)
    for step in range(3):
        trainer.take_step(batches[step])
    trainer.save(CHECKPOINT)
    again = make_trainer(tmp_path)
    assert again.progress == trainer.progress
    for step in (3, 4):
        losses = [t.take_step(Batches(3, "test")[step])[0] for t in (trainer, again)]
        assert [float(x) for x in losses[0]] == [float(x) for x in losses[1]]
    for name, value in trainer.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name]), name
        assert torch.equal(trainer.average[name], again.average[name]), name


def test_a_run_ends_when_told_to_and_the_rate_falls_to_zero(tmp_path, monkeypatch):
    monkeypatch.setattr("training.loop._HELD_OUT", (2, 2, (28, 42)))
    (tmp_path / FINISH).write_text("0.02", encoding="utf-8")
    trainer = make_trainer(tmp_path, log_every=1)
    trainer.train()
    assert trainer.progress.decay.is_over(trainer.progress.step)
    assert (tmp_path / CHECKPOINT).exists()
    assert (tmp_path / PLATEAU).exists()
    assert not (tmp_path / FINISH).exists()
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert any("constant" in line for line in lines)
    assert lines[-1]["held_out"]["depth"] > 0


def test_a_run_that_is_stopped_keeps_its_last_step(tmp_path, monkeypatch):
    monkeypatch.setattr("training.loop._HELD_OUT", (2, 2, (28, 42)))
    trainer = make_trainer(tmp_path)
    trainer.stop()
    trainer.train()
    assert make_trainer(tmp_path).progress.step == 1


def test_the_rate_warms_up_stays_and_falls():
    decay = Decay(first_step=100, steps=50)
    assert Decay().find_share(10**6) == 1
    assert decay.find_share(100) == 1
    assert decay.find_share(125) == pytest.approx(0.5)
    assert decay.find_share(150) == 0
    assert decay.is_over(150)
    assert not decay.is_over(149)


def test_the_export_loads_through_the_strict_loader(tmp_path, batches):
    trainer = make_trainer(tmp_path / "run")
    trainer.take_step(batches[0])
    trainer.save(CHECKPOINT)
    facts = export_weights(tmp_path / "run" / CHECKPOINT, tmp_path / "da3-tiny")
    assert facts["file_bytes"] < 16_000_000
    assert 5e6 < facts["parameters"] < 8e6
    network, preset = load_network(tmp_path / "da3-tiny", "cpu")
    assert preset is TINY
    for name, value in network.state_dict().items():
        assert torch.allclose(value, trainer.average[name], rtol=1e-3, atol=1e-6), name


def test_the_architecture_is_found_without_a_config(tmp_path, batches):
    trainer = make_trainer(tmp_path / "run")
    trainer.save(CHECKPOINT)
    export_weights(tmp_path / "run" / CHECKPOINT, tmp_path / "weights")
    (tmp_path / "weights" / "config.json").unlink()
    network, preset = load_network(tmp_path / "weights", "cpu")
    assert isinstance(network, AnyViewNetwork)
    assert preset is TINY


@pytest.mark.parametrize("curriculum", CURRICULA)
def test_plans_are_sound(curriculum):
    stages = CURRICULA[curriculum]
    for first in (stage.first_step for stage in stages):
        plans = [plan_step(curriculum, first + i) for i in range(4 * PERIOD)]
        for plan in plans:
            assert plan.size[0] % 14 == plan.size[1] % 14 == 0
            assert plan.scenes % plan.repeats == 0
            assert plan.views > 1 or not plan.has_known_cameras
        share = sum(plan.has_known_cameras for plan in plans) / len(plans)
        lessons = {plan.lesson for plan in plans}
        if lessons == {"attention"}:
            assert share == 0
        else:
            assert 0.1 < share < 0.35
            assert "everything" in lessons


def test_worlds_come_again_with_other_pictures_and_none_is_held_out(monkeypatch):
    seeds = []
    import training.batches as module

    original = module._render_world
    monkeypatch.setattr(
        module, "_render_world", lambda s, *rest: seeds.append(s) or original(s, *rest)
    )
    batches = Batches(9, "test")
    first, later = batches[0], batches[PERIOD]
    assert min(seeds) >= FIRST_TRAINING_SEED
    assert len(set(seeds)) == len(seeds)
    scenes = first.images.shape[0]
    assert first.images.shape == later.images.shape
    assert not torch.equal(first.images[0], later.images[1])  # the same world, seen otherwise
    assert len(seeds) == scenes + 1  # one new world


def test_a_batch_is_a_function_of_seed_and_step(batches):
    again = Batches(3, "test")[2]
    for ours, theirs in zip(batches[2][:4], again[:4], strict=True):
        assert torch.equal(ours, theirs)


def test_a_run_goes_on_from_exported_weights(tmp_path):
    first = make_trainer(tmp_path / "first")
    for step in range(2):
        first.take_step(first_batch(step))
    first.save(CHECKPOINT)
    facts = export_weights(tmp_path / "first" / CHECKPOINT, tmp_path / "weights")
    again = make_trainer(tmp_path / "again", start_from=tmp_path / "weights")
    assert again.progress.step == facts["training"]["steps"] == 2
    assert again.progress.pictures == first.progress.pictures
    for name, values in again.network.state_dict().items():
        assert torch.allclose(values, first.average[name], atol=2e-3), name  # stored in 16 bits
    again.take_step(first_batch(2))
    assert again.optimizers[0].param_groups[0]["lr"] == pytest.approx(QUICK.peak / 3)  # warm-up


def first_batch(step):
    return Batches(3, "test")[step]

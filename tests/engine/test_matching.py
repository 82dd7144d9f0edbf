# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What training teaches beyond the published losses: attention to matches, and its optimizer."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from da3_blender.network.pose_encoding import cameras_to_encoding  # noqa: E402
from da3_blender.network.presets import PATCH_SIZE, PRESETS  # noqa: E402
from training.initial_weights import make_network  # noqa: E402
from training.losses import _compare_pairs  # noqa: E402
from training.matching import AttentionTeacher, _score, _want, find_matches  # noqa: E402
from training.muon import Muon, orthogonalise  # noqa: E402
from training.targets import make_targets  # noqa: E402

SIZE = (42, 56)
ROWS, COLUMNS = SIZE[0] // PATCH_SIZE, SIZE[1] // PATCH_SIZE
FOCAL = 50.0


def look_at_wall(shifts, depth=2.0):
    """Cameras side by side before a wall: a shift moves the picture by focal * shift / depth."""
    views = len(shifts)
    w2c = torch.eye(4).repeat(1, views, 1, 1)
    w2c[0, :, 0, 3] = -torch.tensor(shifts)
    K = torch.tensor([[FOCAL, 0, SIZE[1] / 2], [0, FOCAL, SIZE[0] / 2], [0, 0, 1]])
    K = K.repeat(1, views, 1, 1)
    return make_targets(torch.full((1, views, *SIZE), depth), w2c, K), K


def test_matches_lie_where_the_pictures_moved():
    shift = PATCH_SIZE * 2.0 / FOCAL  # one patch
    targets, K = look_at_wall([0.0, shift])
    matches = find_matches(targets, K)[0]  # (N, P, N, P)
    wanted = matches[0, :, 1].unflatten(0, (ROWS, COLUMNS))
    for row in range(ROWS):
        for column in range(1, COLUMNS):
            share = wanted[row, column].unflatten(0, (ROWS, COLUMNS))
            assert float(share.sum()) == pytest.approx(1, abs=1e-4)
            assert float(share[row, column - 1]) > 0.8
    assert float(wanted[:, 0].sum()) == 0  # they have left the picture
    assert float(matches[0, :, 0].sum()) == 0  # the same view is no match


def test_what_is_hidden_has_no_match():
    targets, K = look_at_wall([0.0, 0.1])
    depth = targets.depth.clone()
    depth[0, 1] /= 2  # something stands before the second camera
    assert float(find_matches(targets._replace(depth=depth), K)[0, 0, :, 1].sum()) == 0


def test_attention_learns_the_matches():
    network = make_network(PRESETS["da3-tiny"], 1)
    backbone = network.backbone["pretrained"]
    teacher = AttentionTeacher(backbone)
    targets, K = look_at_wall([0.0, 0.3, 0.6])
    images = torch.randn(1, 3, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(backbone.parameters(), lr=2e-3)
    seen = []
    for _ in range(12):
        with teacher:
            backbone(images, lambda _level: None, reference_view="first")
        loss = teacher.judge(targets, K).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(float(loss.detach()))
    assert seen[0] == pytest.approx(1, abs=0.25)  # everything alike, about
    assert seen[-1] < 0.7 * seen[0]


def test_what_is_judged_is_the_attention_of_the_block(monkeypatch):
    network = make_network(PRESETS["da3-tiny"], 1)
    backbone = network.backbone["pretrained"]
    teacher = AttentionTeacher(backbone)
    taken = []

    def attend(q, k, v):
        taken.append((q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5)
        return torch.nn.functional.scaled_dot_product_attention(q, k, v)

    monkeypatch.setattr("da3_blender.network.attention.attend", attend)
    monkeypatch.setattr("da3_blender.network.block.attend", attend)
    images = torch.randn(2, 3, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    with teacher, torch.no_grad():
        backbone(images, lambda _level: None, reference_view="first")
    scores = taken[5]  # the first block that looks across views
    assert scores.shape[-1] == 3 * (1 + ROWS * COLUMNS)
    for head, rows, first in ((0, slice(1, None), 1), (1, slice(0, 1), 0)):
        with torch.no_grad():
            ours = _score(backbone.blocks[5], teacher._kept[0], 3, head, rows)
        theirs = scores[:, head].unflatten(1, (3, -1))[:, rows, 1:].flatten(1, 2)
        assert torch.allclose(ours, theirs, atol=1e-4), first


def test_others_look_at_the_reference_and_it_at_them():
    shift = PATCH_SIZE * 2.0 / FOCAL  # one patch
    targets, K = look_at_wall([0.0, shift, -shift])
    patches = ROWS * COLUMNS
    (others, back, weights), (reference, forth, _) = _want(find_matches(targets, K))
    assert (others, reference) == (slice(1, None), slice(0, 1))
    assert back.shape == (1, 2 * patches, 3 * (1 + patches))
    assert forth.shape == (1, patches, 3 * (1 + patches))
    for shares in (back, forth):
        assert torch.allclose(shares.sum(-1), torch.ones(()), atol=1e-4)
    assert float(back[..., 1 + patches :].sum()) == 0
    assert float(forth[..., 1 : 1 + patches].sum()) == 0
    is_lost = back[..., 0] == 1  # looks at the reference's camera token
    assert int(is_lost.sum()) == 2 * ROWS  # a column has left each picture
    assert (weights[is_lost] < weights[~is_lost].min()).all()


def test_no_block_runs_after_the_last_one_that_is_judged():
    backbone = make_network(PRESETS["da3-tiny"], 1).backbone["pretrained"]
    teacher = AttentionTeacher(backbone)
    ran = []
    for number, block in enumerate(backbone.blocks):
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
    targets, K = look_at_wall([0.0, 0.3])
    teacher.run_until_judged(torch.randn(1, 2, 3, *SIZE))
    assert ran == list(range(7))
    assert float(teacher.judge(targets, K).loss.detach()) > 0
    backbone(torch.randn(1, 2, 3, *SIZE), lambda _level: None, reference_view="first")
    assert ran[7:] == list(range(12))


def test_nothing_is_kept_outside_the_teacher_s_block():
    backbone = make_network(PRESETS["da3-tiny"], 1).backbone["pretrained"]
    teacher = AttentionTeacher(backbone)
    with torch.no_grad():
        backbone(torch.randn(1, 2, 3, *SIZE), lambda _level: None, reference_view="first")
    assert teacher._kept == []


def test_directions_from_view_to_view_are_judged_in_radians():
    w2c = torch.eye(4).repeat(1, 2, 1, 1)
    w2c[0, 1, 0, 3] = -1.0
    K = torch.eye(3).repeat(1, 2, 1, 1) * FOCAL
    true = cameras_to_encoding(w2c, K, SIZE)
    assert float(_compare_pairs(true, true)) == pytest.approx(0, abs=3e-3)
    turned = true.clone()
    turned[0, 1, :2] = torch.tensor([torch.cos(torch.tensor(0.2)), torch.sin(torch.tensor(0.2))])
    assert float(_compare_pairs(turned, true)) == pytest.approx(0.2, abs=0.01)
    assert float(_compare_pairs(true[:, :1], true[:, :1])) == 0
    longer = true.clone()
    longer[0, 1, :3] *= 2
    assert float(_compare_pairs(longer, true)) == pytest.approx(np.log(2), abs=0.01)


def test_positions_that_shrink_to_nothing_are_pulled_apart():
    w2c = torch.eye(4).repeat(1, 2, 1, 1)
    w2c[0, 1, 0, 3] = -1.0
    true = cameras_to_encoding(w2c, torch.eye(3).repeat(1, 2, 1, 1) * FOCAL, SIZE)
    shrunk = true.clone()
    shrunk[0, 1, :3] *= 0.01
    shrunk.requires_grad_()
    _compare_pairs(shrunk, true).backward()
    assert shrunk.grad[0, 1, 0] < -1  # towards the true place


def test_orthogonalise_stays_within_bounds_in_half_precision_and_bad_condition():
    matrices = torch.randn(2, 192, 192, generator=torch.Generator().manual_seed(4))
    matrices = matrices * torch.logspace(0, -2, 192)
    values = torch.linalg.svdvals(orthogonalise(matrices.bfloat16()).float())
    assert float(values.max()) < 1.3
    assert 0.7 < float(values.median()) < 1.2


@pytest.mark.parametrize("shape", [(2, 24, 60), (2, 60, 24), (1, 32, 32)])
def test_orthogonalise_brings_singular_values_near_one(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert float(values.min()) > 0.3
    assert float(values.max()) < 1.3


def test_muon_finds_a_matrix():
    wanted = torch.randn(12, 20, generator=torch.Generator().manual_seed(3))
    found = torch.nn.Parameter(torch.zeros(12, 20))
    optimizer = Muon([found], lr=0.3, weight_decay=0.0, momentum=0.9, dtype=torch.float32)
    first = float(wanted.square().mean())
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.3 * (1 - step / 200)
        (found - wanted).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert float((found - wanted).square().mean().detach()) < 0.01 * first

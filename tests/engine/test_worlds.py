# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The synthetic worlds: truth that agrees with itself, from a seed, fast."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from training.worlds.caster import FARTHEST, cast, make_view_rays, render  # noqa: E402
from training.worlds.places import make_world  # noqa: E402
from training.worlds.solids import Kind, Solids, find_local_normals, intersect  # noqa: E402
from training.worlds.textures import PATTERN_NAMES  # noqa: E402
from training.worlds.views import make_ray_maps, make_views  # noqa: E402

SIZE = (56, 84)


def lift(views, index):
    """World points (H, W, 3) of one view, written out independently of the code under test."""
    height, width = views.depth.shape[1:]
    K, w2c = views.K[index].double(), views.w2c[index].double()
    y, x = torch.meshgrid(
        torch.arange(height).double() + 0.5, torch.arange(width).double() + 0.5, indexing="ij"
    )
    pixels = torch.stack((x, y, torch.ones_like(x)), -1)
    local = pixels @ torch.linalg.inv(K).T * views.depth[index].double()[..., None]
    c2w = torch.linalg.inv(w2c)
    return local @ c2w[:3, :3].T + c2w[:3, 3]


def unit_solid(kind):
    return Solids(
        kind,
        torch.eye(3)[None],
        torch.zeros(1, 3),
        torch.ones(1, 3),
        torch.zeros(1, dtype=torch.long),
        torch.ones(1, dtype=torch.bool),
    )


@pytest.mark.parametrize("seed", range(8))
def test_points_of_one_view_are_seen_at_the_same_place_from_another(seed):
    """Cast a ray from view 1 at each point that view 0 saw: it arrives there, or is blocked."""
    views = make_views(seed, 2, SIZE)
    world = make_world(seed)
    points = lift(views, 0)[~views.sky[0]]
    w2c = views.w2c[1].double()
    origin = torch.linalg.inv(w2c)[:3, 3]
    away = points @ w2c[2, :3] + w2c[2, 3]  # depth in view 1, which gives rays their length
    fair = (away > 0.1) & (away < 0.95 * FARTHEST)
    points, away = points[fair], away[fair]
    path = ((points - origin) / away[:, None]).T
    distance = cast(world, origin[:, None].float(), path.float()).distance / away
    # 1 is the point itself; a ray along the surface may end a little before
    is_there = (distance - 1).abs() < 2e-3
    assert (distance < 1.002).float().mean() > 0.995
    assert is_there.float().mean() > 0.3


@pytest.mark.parametrize("seed", [3, 6, 13])
def test_reprojected_depth_agrees_with_the_depth_of_the_other_view(seed):
    views = make_views(seed, 2, (112, 154))
    points = lift(views, 0)[~views.sky[0]]
    w2c, K = views.w2c[1].double(), views.K[1].double()
    local = points @ w2c[:3, :3].T + w2c[:3, 3]
    pixel = local @ K.T
    x, y = (pixel[:, i] / pixel[:, 2] for i in (0, 1))
    inside = (local[:, 2] > 0) & (x > 0) & (y > 0) & (x < 154) & (y < 112)
    depth = views.depth[1][y[inside].long(), x[inside].long()]
    error = (local[inside, 2] - depth).abs() / local[inside, 2]
    # the nearest pixel is up to half a pixel away: slanted and hidden surfaces differ
    assert error.median() < 0.01
    assert (error < 0.05).float().mean() > 0.6


def test_ray_maps_meet_the_points():
    """Origin plus depth times direction is the point, where ray and pixel centres coincide."""
    views = make_views(5, 2, SIZE)
    rays = make_ray_maps(views.w2c, views.K, SIZE)
    assert rays.shape == (2, 32, 48, 6)
    # the middle between two pixel centres is a ray's centre every 7 pixels: average both ways
    for index in range(2):
        origin, direction = make_view_rays(views.w2c[index], views.K[index], SIZE)
        fine = direction.T.unflatten(0, SIZE)  # affine in the pixel, so it may be resized
        resized = torch.nn.functional.interpolate(
            fine.permute(2, 0, 1)[None], (32, 48), mode="bilinear", align_corners=False
        )[0].permute(1, 2, 0)
        assert (resized - rays[index, ..., :3])[1:-1, 1:-1].abs().max() < 1e-4
        assert torch.allclose(rays[index, 0, 0, 3:], origin[:, 0], atol=1e-5)


def test_the_same_seed_gives_the_same_views_and_another_seed_others():
    first, again, other = (make_views(seed, 2, SIZE) for seed in (4, 4, 5))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.images, other.images)


def test_all_kinds_of_places_and_patterns_occur():
    worlds = [make_world(seed) for seed in range(60)]
    assert {w.name for w in worlds} == {"room", "hall", "yard", "hills", "street"}
    patterns = torch.cat([w.materials.pattern for w in worlds]).unique()
    assert len(patterns) == len(PATTERN_NAMES)
    kinds = torch.cat([w.kinds for w in worlds]).unique()
    assert len(kinds) == len(Kind)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_views_are_sound(count):
    views = make_views(20 + count, count, (42, 70))
    assert views.images.shape == (count, 42, 70, 3)
    assert views.images.dtype == torch.uint8
    assert views.depth.isfinite().all()
    assert torch.equal(views.sky, views.depth == 0)
    rotation = views.w2c[:, :3, :3]
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3).expand(count, 3, 3), atol=1e-5)
    assert (torch.linalg.det(rotation) > 0.99).all()
    assert (views.K[:, 0, 2] == 35).all()
    assert views.images.float().std() > 5


@pytest.mark.parametrize("kind", list(Kind))
def test_hits_lie_on_the_unit_shapes_and_normals_face_the_ray(kind):
    generator = torch.Generator().manual_seed(int(kind))
    origin = torch.nn.functional.normalize(torch.randn(3, 4000, generator=generator), dim=0) * 4
    target = torch.rand(3, 4000, generator=generator) * 1.6 - 0.8
    direction = target - origin
    t = intersect(unit_solid(kind), origin, direction)[0]
    hit = t.isfinite()
    assert hit.float().mean() > 0.2
    points = (origin + t * direction).T[hit]
    assert points.abs().max() < 1 + 1e-3
    x, y, z = points.abs().unbind(-1)
    on_surface = {
        Kind.BOX: points.abs().amax(-1) - 1,
        Kind.ELLIPSOID: points.norm(dim=-1) - 1,
        Kind.CYLINDER: torch.maximum(torch.hypot(x, y), z) - 1,
        Kind.QUAD: z,
        Kind.GABLE: torch.stack((y - 1, -points[:, 2] - 1, 2 * x + points[:, 2] - 1)).amax(0),
    }
    if kind in on_surface:
        assert on_surface[kind].abs().max() < 1e-3
    normals = find_local_normals(torch.full((len(points),), int(kind)), points)
    towards = (normals * direction.T[hit]).sum(-1)
    if kind is not Kind.QUAD:
        assert (towards < 1e-3).float().mean() > 0.999


def test_one_sees_through_an_arch_but_not_through_its_wall():
    origin = torch.tensor([[0.0, 0.0, 0.9], [-4.0, -4.0, -4.0], [-0.5, 0.5, 0.0]])
    direction = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    t = intersect(unit_solid(Kind.ARCH), origin, direction)[0]
    assert not t[0].isfinite()
    assert not t[1].isfinite()
    assert abs(float(t[2]) - 3) < 1e-5


def test_a_lamp_is_hidden_by_what_stands_before_it():
    """Shaded places are darker than the same places without the things that shade them."""
    world = make_world(7)
    bare = world.every.casts_shadow.clone().zero_()
    stacks = tuple(s._replace(casts_shadow=torch.zeros_like(s.casts_shadow)) for s in world.solids)
    lit = type(world)(
        **{
            **vars(world),
            "solids": stacks,
            "every": world.every._replace(casts_shadow=bare),
        }
    )
    views = make_views(7, 1, SIZE)
    with_shadow = render(world, views.w2c[0], views.K[0], SIZE).colour
    without = render(lit, views.w2c[0], views.K[0], SIZE).colour
    assert (with_shadow <= without + 1e-5).all()
    assert (with_shadow < 0.8 * without).any()

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras from predicted rays: a robust homography per view, split into rotation and lens.

Runs in the engine. Source: direct linear transformation and RANSAC as in Hartley and Zisserman,
"Multiple View Geometry" (2004), chapter 4; the sampling rules are those of the release.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..contract.errors import EngineError, ErrorCode

FACTORISATIONS = ("ql", "qr")
"""ql: as released, right for centred principal points; qr: right for all."""

_LEAST_DEPTH = 1e-4
_CANDIDATE_SHARE = 0.3
_HYPOTHESES = 100
_POINTS_PER_HYPOTHESIS = 8
_INLIER_DISTANCE = 0.2
_MOST_INLIERS = 8000
_KEPT_INLIER_SHARE = 0.95
_HYPOTHESES_PER_BLOCK = 10
"""Hypotheses scored together; bounds memory, changes no result."""


class RayCameras(NamedTuple):
    """Cameras read from rays.

    Attributes:
        c2w: (N, 4, 4) float64, OpenCV camera-to-world.
        focal: (N, 2) float64, horizontal and vertical, in half widths and half heights.
        centre: (N, 2) float64, principal point; 1 is the middle of the image.
    """

    c2w: Tensor
    focal: Tensor
    centre: Tensor

    def build_intrinsics(self, size: tuple[int, int]) -> Tensor:
        """Return K (N, 3, 3) float64 in pixels of an image of `size` (height, width)."""
        half = torch.tensor([size[1] / 2, size[0] / 2], dtype=torch.float64)
        K = torch.zeros((len(self.focal), 3, 3), dtype=torch.float64)
        K[:, 0, 0], K[:, 1, 1] = (self.focal * half).unbind(-1)
        K[:, :2, 2] = self.centre * half
        K[:, 2, 2] = 1
        return K


def draw_hypotheses(candidates: int, generator: torch.Generator) -> Tensor:
    """Draw the points of each hypothesis, distinct within a hypothesis.

    Args:
        candidates: length of the list of candidates.
        generator: CPU generator; the same state gives the same draws.

    Returns:
        (100, 8) int64 positions in the list of candidates.
    """
    draws = [
        torch.randperm(candidates, generator=generator)[:_POINTS_PER_HYPOTHESIS]
        for _ in range(_HYPOTHESES)
    ]
    return torch.stack(draws)


def count_candidates(rays_per_view: int) -> int:
    """Return how many of the most confident rays take part in the draws."""
    return max(_POINTS_PER_HYPOTHESIS, int(_CANDIDATE_SHARE * rays_per_view))


def estimate_cameras_from_rays(
    rays: Tensor,
    confidence: Tensor,
    factorisation: str = "ql",
    generator: torch.Generator | None = None,
    ransac_draws: Tensor | None = None,
) -> RayCameras:
    """Estimate the camera of each view from its rays.

    Args:
        rays: (N, h, w, 6) float32, direction and origin, world frame.
        confidence: (N, h, w) float32.
        factorisation: one of `FACTORISATIONS`.
        generator: CPU generator for the draws; None for a fresh one with seed 0.
        ransac_draws: (100, 8) positions in the list of candidates, shared by all views; None to
            draw them.

    Returns:
        Cameras on the CPU; the same input and seed give the same numbers.

    Raises:
        EngineError: the factorisation is unknown, or the rays of a view are no rays of a camera.
    """
    if factorisation not in FACTORISATIONS:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"There is no factorisation called {factorisation!r}.",
            f"Use one of {', '.join(FACTORISATIONS)}.",
        )
    if not (rays.isfinite().all() and confidence.isfinite().all()):
        raise EngineError(
            ErrorCode.CAMERAS_NOT_FOUND,
            "The predicted rays contain numbers that are not finite.",
            "Switch off the pose from rays, or choose float32 as precision.",
        )
    generator = generator or torch.Generator().manual_seed(0)
    points = make_grid_points(rays.shape[1], rays.shape[2], rays.device)  # (h*w, 2)
    if ransac_draws is None:
        ransac_draws = draw_hypotheses(count_candidates(len(points)), generator)
    poses, focals, centres = [], [], []
    pairs = zip(rays.flatten(1, 2), confidence.flatten(1), strict=True)
    for view, (ray, weight) in enumerate(pairs):
        targets, weights = _make_targets(ray[:, :3], weight)
        homography = _fit_homography(points, targets, weights, ransac_draws, generator)
        share = weights.cpu().double()
        share /= share.sum()
        pose = torch.eye(4, dtype=torch.float64)
        pose[:3, :3], focal, centre = _split_homography(homography, factorisation)
        pose[:3, 3] = share @ ray[:, 3:].cpu().double()
        if not (pose.isfinite().all() and focal.isfinite().all() and centre.isfinite().all()):
            raise EngineError(
                ErrorCode.CAMERAS_NOT_FOUND,
                f"The rays of view {view} do not belong to a camera.",
                "Switch off the pose from rays.",
            )
        poses.append(pose)
        focals.append(focal)
        centres.append(centre)
    return RayCameras(torch.stack(poses), torch.stack(focals), torch.stack(centres))


def make_grid_points(rows: int, columns: int, device: torch.device) -> Tensor:
    """Return cell centres of a grid over the square from -1 to 1: (rows*columns, 2), x first."""
    x = (2 * torch.arange(columns, device=device) + 1) / columns - 1
    y = (2 * torch.arange(rows, device=device) + 1) / rows - 1
    return torch.cartesian_prod(y, x).flip(-1)


def _make_targets(direction: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rays' points on the plane z = 1 (n, 2) and their weights (n,)."""
    z = direction[:, 2]
    is_usable = z.abs() > _LEAST_DEPTH
    divisor = torch.where(is_usable, z, torch.ones_like(z))
    return direction[:, :2] / divisor[:, None], torch.where(is_usable, weight, 0)


def _fit_homography(
    points: Tensor, targets: Tensor, weights: Tensor, draws: Tensor, generator: torch.Generator
) -> Tensor:
    """Return the (3, 3) float64 homography that most confident rays agree with."""
    by_weight = weights.argsort(descending=True, stable=True)
    candidates = by_weight[: count_candidates(len(points))]
    chosen = candidates[draws.to(candidates)]  # (100, 8)
    hypotheses = _solve_homography(points[chosen], targets[chosen], weights[chosen])
    best = _score(hypotheses.to(points), points, targets, weights).argmax()
    inliers = _find_inliers(hypotheses[best.cpu()].to(points)[None], points, targets)[0]
    chosen = by_weight[inliers[by_weight]]  # confident ones first
    if len(chosen) > _MOST_INLIERS:
        kept = max(int(_KEPT_INLIER_SHARE * len(chosen)), _MOST_INLIERS)
        lot = torch.randperm(kept, generator=generator)[:_MOST_INLIERS]
        chosen = chosen[lot.to(chosen.device)]
    return _solve_homography(points[chosen], targets[chosen], weights[chosen])


def _solve_homography(points: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Fit homographies by the weighted direct linear transformation.

    Args:
        points: (..., n, 2) source points.
        targets: (..., n, 2) target points.
        weights: (..., n).

    Returns:
        (..., 3, 3) float64 on the CPU, last entry 1.
    """
    points, targets, weights = (x.cpu().double() for x in (points, targets, weights))
    source = torch.cat((-points, -torch.ones_like(points[..., :1])), dim=-1)  # (..., n, 3)
    zero = torch.zeros_like(source)
    u, v = targets[..., :1], targets[..., 1:]
    rows = torch.cat(
        (torch.cat((source, zero, -u * source), -1), torch.cat((zero, source, -v * source), -1)),
        dim=-2,
    )  # (..., 2n, 9)
    rows = rows * weights.sqrt().repeat((1,) * (weights.ndim - 1) + (2,))[..., None]
    # the 9x9 eigenproblem in float64 stands for the much larger SVD
    _, vectors = torch.linalg.eigh(rows.transpose(-1, -2) @ rows)
    solution = vectors[..., 0]  # (..., 9), smallest eigenvalue
    return (solution / solution[..., 8:]).unflatten(-1, (3, 3))


def _find_inliers(hypotheses: Tensor, points: Tensor, targets: Tensor) -> Tensor:
    """Return (hypotheses, n) bool: the target lies near the projected point."""
    source = torch.cat((points, torch.ones_like(points[:, :1])), dim=-1)  # (n, 3)
    projected = hypotheses @ source.T  # (k, 3, n)
    error = projected[:, :2] / projected[:, 2:] - targets.T  # (k, 2, n)
    return error.square().sum(1) < _INLIER_DISTANCE**2


def _score(hypotheses: Tensor, points: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the summed weight of each hypothesis' inliers, (hypotheses,)."""
    return torch.cat(
        [
            _find_inliers(block, points, targets).to(weights.dtype) @ weights
            for block in hypotheses.split(_HYPOTHESES_PER_BLOCK)
        ]
    )


def _split_homography(homography: Tensor, factorisation: str) -> tuple[Tensor, Tensor, Tensor]:
    """Split A ~ R K^-1 into rotation (3, 3), focal (2,) and principal point (2,), 1 = middle."""
    if homography.det() < 0:
        homography = -homography
    is_ql = factorisation == "ql"
    q, r = torch.linalg.qr(homography.flip(1) if is_ql else homography)
    if is_ql:
        q, r = q.flip(1), r.flip(0, 1)  # r is lower triangular now
    sign = torch.where(r.diagonal() < 0, -1.0, 1.0).to(r)
    q, r = q * sign, r * sign[:, None]
    r = r / r[2, 2]
    if is_ql:
        return q, 1 / r.diagonal()[:2], r[2, :2] + 1
    K = torch.linalg.inv(r)
    return q, K.diagonal()[:2], K[:2, 2] + 1

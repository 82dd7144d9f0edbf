# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the chunks lie when the chain of seams and the loops contradict each other.

Runs in the engine. A graph of similarities, one node for each chunk, solved by
Levenberg-Marquardt with each part of a residual divided by what is expected of it, so that the
unit of the scene does not matter. Loops that the chain cannot explain are left out, the others
weigh less the less they fit (Cauchy's kernel). Source: Strasdat 2012 for graphs of Sim(3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.rotations import measure_angle
from .sim3_batch import (
    TANGENT,
    Sim3Batch,
    accumulate,
    compose,
    exponential,
    invert,
    logarithm,
)
from .sim3_graph import Edges, minimise_robustly

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_SHIFT: Final = 0.01
"""Expected error of a step's translation, share of its length."""
_ANGLE: Final = np.radians(0.4)
_LOG_SCALE: Final = 0.006
_REWEIGHTINGS: Final = 6
_FIRST_DAMPING: Final = 1e-6
_STEP: Final = 1e-6
# How far a chain of that many seams can be off: a loop that says more is wrong.
_MOST_ANGLE: Final = 4 * np.radians(0.6)  # times the root of the number of seams
_MOST_LOG_SCALE: Final = 0.03  # times the number of seams
_MOST_SHIFT: Final = 0.25  # of the length of the path between
_RELEASE_STEPS: Final = 30
_RELEASE_ENOUGH: Final = 1e-5


class Loops(NamedTuple):
    """L measurements beyond the chain.

    Attributes:
        pairs: (L, 2) int, nodes i and j.
        first_from_second: L, node j to node i.
        trust: (L,) 0..1, how well each was measured; divides its expected errors' squares.
    """

    pairs: NDArray[np.intp]
    first_from_second: Sim3Batch
    trust: NDArray[np.float64] | None = None


class Solution(NamedTuple):
    """Nodes in the world of node 0.

    Attributes:
        nodes: K, world_from_node.
        weights: (L,) of the loops, 0 to 1; 0 for those that were left out.
    """

    nodes: Sim3Batch
    weights: NDArray[np.float64]


def solve_graph(steps: Sim3Batch, loops: Loops) -> Solution:
    """Find the nodes that fit chain and loops best; node 0 is the world.

    Args:
        steps: K - 1; number k takes node k + 1 to node k.
        loops: any number.
    """
    chain = accumulate(steps)
    count = len(loops.pairs)
    weights = np.zeros(count)
    if not count:
        return Solution(chain, weights)
    nodes = chain
    for _ in range(2):  # once more: a corrected chain may explain what the raw one could not
        used = np.flatnonzero(find_plausible(nodes, chain, loops))
        nodes, found = _solve_robustly(chain, steps, loops, used)
        weights = np.zeros(count)
        weights[used] = found
    return Solution(nodes, weights)


def find_plausible(nodes: Sim3Batch, chain: Sim3Batch, loops: Loops) -> NDArray[np.bool_]:
    """Tell which loops the nodes can explain, with the growth of a chain's errors as bound.

    Args:
        nodes: as they are now.
        chain: gives the lengths of the paths.
        loops: the measurements.

    Returns:
        (L,) bool.
    """
    first, second = loops.pairs[:, 0], loops.pairs[:, 1]
    said = compose(invert(nodes.pick(first)), nodes.pick(second))
    angle = measure_angle(said.rotations, loops.first_from_second.rotations)
    log_scale = np.abs(np.log(said.scales / loops.first_from_second.scales))
    shift = np.linalg.norm(said.translations - loops.first_from_second.translations, axis=1)
    shift = shift * nodes.scales[first]  # world units
    gap = np.abs(second - first)
    lengths = np.linalg.norm(np.diff(chain.translations, axis=0), axis=1)
    path = np.concatenate(([0.0], np.cumsum(lengths)))
    return (
        (angle <= _MOST_ANGLE * np.sqrt(gap))
        & (log_scale <= _MOST_LOG_SCALE * gap)
        & (shift <= _MOST_SHIFT * np.abs(path[second] - path[first]))
    )


def _solve_robustly(
    chain: Sim3Batch, steps: Sim3Batch, loops: Loops, used: NDArray[np.intp]
) -> tuple[Sim3Batch, NDArray[np.float64]]:
    """Return the nodes, and the weights of the loops `used`."""
    if not len(used):
        return chain, np.zeros(0)
    return minimise_robustly(chain, _join_edges(steps, loops, used), steps.count, _REWEIGHTINGS)


def _join_edges(steps: Sim3Batch, loops: Loops, used: NDArray[np.intp]) -> Edges:
    chosen = loops.first_from_second.pick(used)
    pairs = np.stack([np.arange(steps.count), np.arange(1, steps.count + 1)], axis=1)
    joined = Sim3Batch(*(np.concatenate(parts) for parts in zip(steps, chosen, strict=True)))
    # residuals live in the second node's frame, so its unit measures the lengths
    length = np.linalg.norm(joined.translations, axis=1) / joined.scales
    own = length[: steps.count]
    typical = float(np.median(own[own > 0])) if (own > 0).any() else 1.0
    length = np.maximum(length, typical)
    deviations = np.empty((joined.scales.size, TANGENT))
    deviations[:, :3] = _SHIFT * length[:, None]
    deviations[:, 3:6], deviations[:, 6] = _ANGLE, _LOG_SCALE
    if loops.trust is not None:
        trust = np.clip(loops.trust[used], 0.01, 1)
        deviations[steps.count :] /= np.sqrt(trust)[:, None]
    return Edges(np.concatenate((pairs, loops.pairs[used])), joined, deviations)


def solve_graph_like_release(steps: Sim3Batch, loops: Loops) -> Solution:
    """Optimise as DA3-Streaming does, for comparison: every number weighs 1, no loop is doubted."""
    chain = accumulate(steps)
    count = len(loops.pairs)
    if not count:
        return Solution(chain, np.zeros(0))
    pairs = np.stack([np.arange(steps.count), np.arange(1, steps.count + 1)], axis=1)
    pairs = np.concatenate((pairs, loops.pairs))
    # the constraints of the release take node i to node j, in the world's order of its logarithm
    forward = [invert(steps), invert(loops.first_from_second)]
    constraint = Sim3Batch(*(np.concatenate(parts) for parts in zip(*forward, strict=True)))

    def measure(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
        ends = compose(exponential(first), invert(exponential(second)))
        return logarithm(compose(constraint, ends))

    tangents = _minimise_tangents(logarithm(invert(chain)), pairs, measure)
    nodes = invert(exponential(tangents))
    relative = compose(invert(nodes.pick(slice(0, -1))), nodes.pick(slice(1, None)))
    return Solution(accumulate(relative), np.ones(count))


def _minimise_tangents(
    tangents: NDArray[np.float64],
    pairs: NDArray[np.intp],
    measure: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Levenberg-Marquardt with the constants of DA3-Streaming; the damping holds the gauge."""
    damping, edges = _FIRST_DAMPING, np.arange(len(pairs))
    ends = [tangents[pairs[:, side]] for side in (0, 1)]
    residual = measure(*ends)
    costs = [float((residual**2).sum())]
    for step in range(_RELEASE_STEPS):
        jacobian = np.zeros((len(pairs), TANGENT, tangents.size))
        for axis in range(TANGENT):
            for side in (0, 1):
                up, down = list(ends), list(ends)
                change = np.zeros((1, TANGENT))
                change[0, axis] = _STEP
                up[side], down[side] = ends[side] + change, ends[side] - change
                slope = (measure(*up) - measure(*down)) / (2 * _STEP)
                jacobian[edges, :, TANGENT * pairs[:, side] + axis] += slope
        flat = jacobian.reshape(-1, tangents.size)
        hessian, gradient = flat.T @ flat, flat.T @ residual.ravel()
        damped = hessian + damping * np.diag(np.diag(hessian)) + 1e-12 * np.eye(tangents.size)
        moved = tangents - np.linalg.solve(damped, gradient).reshape(tangents.shape)
        new_ends = [moved[pairs[:, side]] for side in (0, 1)]
        new_residual = measure(*new_ends)
        cost = float((new_residual**2).sum())
        if cost < costs[-1]:
            tangents, ends, residual, damping = moved, new_ends, new_residual, damping / 2
        else:
            damping *= 2
        costs.append(min(cost, costs[-1]))
        is_slow = step >= 5 and costs[-6] < 1.5 * costs[-1]  # noqa: PLR2004 - five rounds ago
        if costs[-1] < _RELEASE_ENOUGH or is_slow:
            break
    return tangents

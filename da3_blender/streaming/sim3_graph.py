# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Least squares over a graph of similarities: nodes, measured edges, expected errors.

Runs in the engine. Levenberg-Marquardt with sparse normal equations; each part of a residual is
divided by what is expected of it, so that the unit of the scene does not matter. Source: Strasdat
2012 for graphs of Sim(3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix, diags
from scipy.sparse.linalg import splu

from .sim3_batch import TANGENT, Sim3Batch, compose, exponential, invert, logarithm

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_STEPS: Final = 100
_SAME: Final = 1e-9
_FIRST_DAMPING: Final = 1e-6
_MOST_DAMPING: Final = 1e12
_STEP: Final = 1e-6
_CAUCHY: Final = 18.5
"""Chi-square of seven numbers that one right edge in a hundred exceeds."""


class Edges(NamedTuple):
    """E measurements and what errors are expected of them.

    Attributes:
        pairs: (E, 2).
        first_from_second: E.
        deviations: (E, 7).
    """

    pairs: NDArray[np.intp]
    first_from_second: Sim3Batch
    deviations: NDArray[np.float64]

    def measure(self, nodes: Sim3Batch) -> NDArray[np.float64]:
        """Return (E, 7), residuals in expected errors."""
        first, second = (nodes.pick(self.pairs[:, side]) for side in (0, 1))
        return self.measure_ends(first, second)

    def measure_ends(self, first: Sim3Batch, second: Sim3Batch) -> NDArray[np.float64]:
        """Return (E, 7) for given ends of each edge."""
        said = compose(invert(first), second)
        return logarithm(compose(invert(self.first_from_second), said)) / self.deviations


def minimise(nodes: Sim3Batch, edges: Edges, weights: NDArray[np.float64]) -> Sim3Batch:
    """Move all nodes but the first until the weighted squares fall no more."""
    damping = _FIRST_DAMPING
    residual = edges.measure(nodes)
    cost = float(weights @ (residual**2).sum(1))
    for _ in range(_MOST_STEPS):
        hessian, gradient = _build_system(nodes, edges, weights, residual)
        while damping < _MOST_DAMPING:
            step = _solve(hessian + damping * diags(hessian.diagonal()), -gradient)
            moved = _move(nodes, step)
            new_residual = edges.measure(moved)
            new_cost = float(weights @ (new_residual**2).sum(1))
            if new_cost <= cost:
                break
            damping *= 10
        else:
            return nodes
        gain = cost - new_cost
        nodes, residual, cost = moved, new_residual, new_cost
        damping = max(damping / 10, 1e-12)
        if gain <= _SAME * max(cost, _SAME):
            break
    return nodes


def minimise_robustly(
    nodes: Sim3Batch, edges: Edges, first: int, rounds: int
) -> tuple[Sim3Batch, NDArray[np.float64]]:
    """Move all nodes but the first; the last edges weigh less the less they fit (Cauchy's kernel).

    Args:
        nodes: to begin with.
        edges: all.
        first: number of the first edge that may be doubted.
        rounds: of weighing again; one does where none may be doubted.

    Returns:
        The nodes, and the weights of the edges from `first` on.
    """
    weights = np.ones(len(edges.pairs))
    for _ in range(rounds if first < len(weights) else 1):
        nodes = minimise(nodes, edges, weights)
        squares = (edges.measure(nodes) ** 2).sum(1)
        weights[first:] = 1 / (1 + squares[first:] / _CAUCHY)
    return nodes, weights[first:]


def _solve(matrix: csc_matrix, right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve a symmetric system, with an order of the unknowns that keeps the factors small."""
    factors = splu(
        matrix.tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return factors.solve(right)


def _move(nodes: Sim3Batch, step: NDArray[np.float64]) -> Sim3Batch:
    """Return S_i Exp(d_i) for all nodes but the first."""
    every = np.concatenate((np.zeros((1, TANGENT)), step.reshape(-1, TANGENT)))
    return compose(nodes, exponential(every))


def _build_system(
    nodes: Sim3Batch,
    edges: Edges,
    weights: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> tuple[csc_matrix, NDArray[np.float64]]:
    """Return J^T W J and J^T W r over the nodes from the second on."""
    ends = [nodes.pick(edges.pairs[:, side]) for side in (0, 1)]
    root = np.sqrt(weights)[:, None]
    count = len(edges.pairs)
    jacobians = []
    for side in (0, 1):
        columns = []
        for axis in range(TANGENT):
            change = np.zeros((count, TANGENT))
            change[:, axis] = _STEP
            both = [compose(ends[0], exponential(change)) if side == 0 else ends[0]]
            both.append(compose(ends[1], exponential(change)) if side == 1 else ends[1])
            up = edges.measure_ends(*both)
            both[side] = compose(ends[side], exponential(-change))
            columns.append((up - edges.measure_ends(*both)) / (2 * _STEP) * root)
        jacobians.append(np.stack(columns, axis=-1))  # (E, 7, 7)
    size = TANGENT * (nodes.count - 1)
    rows = np.arange(TANGENT * count).reshape(count, TANGENT, 1)
    parts = [], [], []
    for side, jacobian in enumerate(jacobians):
        first = TANGENT * (edges.pairs[:, side] - 1)
        columns = first[:, None, None] + np.arange(TANGENT)
        is_free = np.broadcast_to((edges.pairs[:, side] > 0)[:, None, None], jacobian.shape)
        parts[0].append(np.broadcast_to(rows, jacobian.shape)[is_free])
        parts[1].append(np.broadcast_to(columns, jacobian.shape)[is_free])
        parts[2].append(jacobian[is_free])
    r, c, v = (np.concatenate(part) for part in parts)
    matrix = coo_matrix((v, (r, c)), shape=(TANGENT * count, size)).tocsc()
    return (matrix.T @ matrix).tocsc(), matrix.T @ (residual * root).ravel()

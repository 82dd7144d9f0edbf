# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rasteriser of 3D Gaussians in numpy, the measure of everything that draws them.

Written from the equations of 3D Gaussian Splatting (Kerbl et al. 2023) and EWA splatting (Zwicker
et al. 2002): the covariance goes through the projection's derivative at the centre, splats are
blended front to back in the order of the depth of their centres. Slow and plain on purpose.
"""

import numpy as np

from da3_blender.splats.cloud import build_covariances
from da3_blender.splats.harmonics import evaluate_colours

LARGEST_ALPHA = 0.99
LEAST_ALPHA = 1 / 255
NEAR = 0.01


def linear_from_srgb(c):
    return np.where(c <= 0.04045, c / 12.92, ((np.maximum(c, 0) + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(c):
    return np.where(c <= 0.0031308, c * 12.92, 1.055 * np.maximum(c, 1e-12) ** (1 / 2.4) - 0.055)


def project_splats(cloud, w2c, K, dilation_px=0.3, size=None):
    """Give (pixels (G, 2), covariances (G, 2, 2) in pixels, depths (G,)) of all Gaussians.

    With a size, slopes beyond 1.3 halves of the picture are limited, as the original does.
    """
    w2c, K = np.asarray(w2c, float), np.asarray(K, float)
    p = cloud.positions @ w2c[:3, :3].T + w2c[:3, 3]
    x, y, z = p.T
    safe = np.where(np.abs(z) > 1e-9, z, 1e-9)
    slopes = [x / safe, y / safe]
    if size is not None:
        limits = (1.3 * size[0] / (2 * K[0, 0]), 1.3 * size[1] / (2 * K[1, 1]))
        slopes = [np.clip(s, -limit, limit) for s, limit in zip(slopes, limits, strict=True)]
    J = np.zeros((cloud.count, 2, 3))
    J[:, 0, 0], J[:, 0, 2] = K[0, 0] / safe, -K[0, 0] * slopes[0] / safe
    J[:, 1, 1], J[:, 1, 2] = K[1, 1] / safe, -K[1, 1] * slopes[1] / safe
    T = J @ w2c[:3, :3]
    covariances = T @ build_covariances(cloud).astype(float) @ T.transpose(0, 2, 1)
    covariances += dilation_px * np.eye(2)
    pixels = np.stack([K[0, 0] * x / safe + K[0, 2], K[1, 1] * y / safe + K[1, 2]], axis=1)
    return pixels, covariances, z


def render(cloud, w2c, K, size, *, blend="display", dilation_px=0.3, colours=None):
    """Draw a cloud.

    Args:
        cloud: OpenCV world.
        w2c: (4, 4), OpenCV.
        K: (3, 3), the first pixel's centre is at (0.5, 0.5).
        size: (width, height).
        blend: "display" blends display values (sRGB), "linear" scene-linear ones.
        dilation_px: added to the variance in pixels squared, as the original does.
        colours: (G, 3) display values; None evaluates the spherical harmonics.

    Returns:
        (H, W, 4) float64 in the space of the blending, premultiplied, before any background.
    """
    width, height = size
    pixels, covariances, depth = project_splats(cloud, w2c, K, dilation_px, size)
    if colours is None:
        eye = -np.asarray(w2c, float)[:3, :3].T @ np.asarray(w2c, float)[:3, 3]
        towards = cloud.positions - eye
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        colours = evaluate_colours(cloud.harmonics.astype(float), towards)
    if blend == "linear":
        colours = linear_from_srgb(colours)
    picture = np.zeros((height, width, 4))
    light = np.ones((height, width))  # what still comes through
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    for index in np.argsort(depth, kind="stable"):
        opacity = float(cloud.opacities[index])
        if depth[index] <= NEAR or opacity < LEAST_ALPHA:
            continue
        reach = np.sqrt(2 * np.log(opacity / LEAST_ALPHA) * np.diag(covariances[index]))
        x, y = pixels[index]
        c0, c1 = np.searchsorted(columns, (x - reach[0], x + reach[0]))
        r0, r1 = np.searchsorted(rows, (y - reach[1], y + reach[1]))
        if c0 >= c1 or r0 >= r1:
            continue
        a, b, c = np.linalg.inv(covariances[index])[[0, 0, 1], [0, 1, 1]]
        dx, dy = columns[c0:c1] - x, (rows[r0:r1] - y)[:, None]
        power = -0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy
        alpha = np.minimum(LARGEST_ALPHA, opacity * np.exp(power))
        alpha[alpha < LEAST_ALPHA] = 0
        weight = light[r0:r1, c0:c1] * alpha
        picture[r0:r1, c0:c1, :3] += weight[..., None] * colours[index]
        light[r0:r1, c0:c1] -= weight
    picture[..., 3] = 1 - light
    return picture


def measure_psnr(a, b):
    """Peak signal to noise of display values limited to 0..1, dB."""
    error = np.mean((np.clip(a, 0, 1) - np.clip(b, 0, 1)) ** 2)
    return float(10 * np.log10(1 / max(error, 1e-12)))

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files made here byte by byte from the descriptions of the formats, without our writers."""

import gzip
import struct

import numpy as np
import pytest

from da3_blender.splats.files import read_splats

C0 = 0.5 / np.sqrt(np.pi)


def read(path, data):
    path.write_bytes(data)
    return read_splats(path).cloud


def test_an_original_ply(tmp_path):
    names = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"]
    names += [f"f_rest_{i}" for i in range(45)]
    names += ["opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    head = "ply\nformat binary_little_endian 1.0\ncomment made by hand\nelement vertex 1\n"
    head += "".join(f"property float {n}\n" for n in names) + "end_header\n"
    values = [1, 2, 3, 0, 0, 0, 0.1, 0.2, 0.3, *(i / 100 for i in range(45))]
    values += [0.0, np.log(0.5), 0.0, np.log(2), 2, 0, 0, 0]
    cloud = read(tmp_path / "a.ply", head.encode() + struct.pack("<62f", *values))
    assert cloud.positions.tolist() == [[1, 2, 3]]
    assert cloud.scales[0] == pytest.approx([0.5, 1, 2])
    assert cloud.rotations.tolist() == [[2, 0, 0, 0]]
    assert cloud.opacities[0] == pytest.approx(0.5)
    assert cloud.degree == 3
    assert cloud.harmonics[0, :, 0] == pytest.approx([0.1, 0.2, 0.3])
    # colour by colour: green's first further coefficient is number 15
    assert cloud.harmonics[0, 1, 1] == pytest.approx(0.15)
    assert cloud.harmonics[0, 2, 15] == pytest.approx(0.44)


def test_columns_in_another_order_type_and_byte_order(tmp_path):
    names = ["rot_0", "rot_1", "rot_2", "rot_3", "opacity", "z", "y", "x", "label"]
    names += ["scale_2", "scale_1", "scale_0", "f_dc_2", "f_dc_1", "f_dc_0"]
    kinds = ["double"] * 8 + ["uchar"] + ["float"] * 6
    head = "ply\r\nformat binary_big_endian 1.0\r\nelement vertex 1\r\n"
    head += "".join(f"property {k} {n}\r\n" for k, n in zip(kinds, names, strict=True))
    head += "end_header\r\n"
    body = struct.pack(">8dB6f", 0, 1, 0, 0, 100, 3, 2, 1, 7, 0, 1, 2, 0.3, 0.2, 0.1)
    cloud = read(tmp_path / "a.ply", head.encode() + body)
    assert cloud.positions.tolist() == [[1, 2, 3]]
    assert cloud.scales[0] == pytest.approx(np.exp([2, 1, 0]))
    assert cloud.rotations.tolist() == [[0, 1, 0, 0]]
    assert cloud.opacities.tolist() == [1]
    assert cloud.harmonics[0, :, 0] == pytest.approx([0.1, 0.2, 0.3])


def make_compressed(words, ranges, extra="", tail=b""):
    head = "ply\nformat binary_little_endian 1.0\nelement chunk 1\n"
    for group in ("x y z", "scale_x scale_y scale_z", "r g b"):
        for end in ("min", "max"):
            head += "".join(f"property float {end}_{n}\n" for n in group.split())
    head += f"element vertex {len(words)}\n"
    head += "".join(
        f"property uint packed_{n}\n" for n in ("position", "rotation", "scale", "color")
    )
    head += extra + "end_header\n"
    body = struct.pack("<18f", *ranges) + b"".join(struct.pack("<4I", *row) for row in words)
    return head.encode() + body + tail


def test_a_compressed_ply(tmp_path):
    ranges = [0, 0, 0, 2047, 1023, 2047, -3, -3, -3, -1, -1, -1, 0, 0, 0, 1, 1, 1]
    # x 5 of 2047, y 7 of 1023, z 9 of 2047; largest component 1 (x); w 1023, y 0, z middle
    position = (5 << 21) | (7 << 11) | 9
    rotation = (1 << 30) | (1023 << 20) | (0 << 10) | 512
    scale = (0 << 21) | (1023 << 11) | 2047
    colour = (255 << 24) | (0 << 16) | (51 << 8) | 102
    extra = "element sh 1\n" + "".join(f"property uchar f_rest_{i}\n" for i in range(9))
    tail = bytes([0, 255, 128, 127, 64, 192, 1, 254, 100])
    data = make_compressed([(position, rotation, scale, colour)], ranges, extra, tail)
    cloud = read(tmp_path / "a.compressed.ply", data)
    assert cloud.positions[0] == pytest.approx([5, 7, 9], abs=1e-4)
    assert cloud.scales[0] == pytest.approx(np.exp([-3, -1, -1]))
    half = np.sqrt(0.5)
    middle = (512 / 1023 - 0.5) * np.sqrt(2)
    assert cloud.rotations[0] == pytest.approx([half, 0, -half, middle], abs=1e-3)
    assert cloud.opacities[0] == pytest.approx(0.4)
    assert cloud.harmonics[0, :, 0] == pytest.approx([0.5 / C0, -0.5 / C0, -0.3 / C0])
    # a byte is the middle of a step of 8 / 256; the ends are the ends
    assert cloud.harmonics[0, 0, 1:] == pytest.approx([-4, 4, (128.5 / 256 - 0.5) * 8])
    assert cloud.harmonics[0, 2, 3] == pytest.approx((100.5 / 256 - 0.5) * 8)


def make_spz(version, degree, columns, count=1, fraction_bits=12, flags=0):
    head = struct.pack("<IIIBBBB", 0x5053474E, version, count, degree, fraction_bits, flags, 0)
    return gzip.compress(head + b"".join(bytes(c) for c in columns))


def test_spz_version_3(tmp_path):
    fixed = b"".join(struct.pack("<i", v)[:3] for v in (4096, -8192, 2048))
    # largest is w (3); x = +511/511, y = -256/511, z = 0, each of sqrt(1/2)
    word = (3 << 30) | (511 << 20) | ((512 + 256) << 10) | 0
    more = [192, 128, 64] + [128] * 6
    columns = [fixed, [51], [255, 0, 128], [160, 176, 144], struct.pack("<I", word), more]
    cloud = read(tmp_path / "a.spz", make_spz(3, 1, columns))
    # y up and z back in the file
    assert cloud.positions.tolist() == [[1, 2, -0.5]]
    assert cloud.opacities[0] == pytest.approx(0.2)
    assert cloud.scales[0] == pytest.approx(np.exp([0, 1, -1]))
    assert cloud.harmonics[0, :2, 0] == pytest.approx([0.5 / 0.15, -0.5 / 0.15])
    x, y = np.sqrt(0.5), -256 / 511 * np.sqrt(0.5)
    w = np.sqrt(1 - x * x - y * y)
    q = cloud.rotations[0] * np.sign(cloud.rotations[0, 0] * w or 1)
    # turned half around x: (0, 1, 0, 0) times the quaternion, up to the file's own half turn
    assert np.abs(_matrix(q)) == pytest.approx(np.abs(_matrix([w, x, -y, 0])), abs=1e-6)
    flip = np.diag([1.0, -1, -1])
    wanted = flip @ _matrix([w, x, y, 0])
    assert _matrix(q) @ _matrix(q).T == pytest.approx(wanted @ wanted.T, abs=1e-6)
    assert _spread(q, cloud.scales[0]) == pytest.approx(
        flip @ _spread([w, x, y, 0], cloud.scales[0]) @ flip, abs=1e-5
    )
    # the first coefficient goes with -y, which changes its sign
    assert cloud.harmonics[0, :, 1] == pytest.approx([-0.5, 0, 0.5])
    assert cloud.harmonics[0, :, 2:] == pytest.approx(np.zeros((3, 2)))


def test_spz_version_2_and_4_degrees(tmp_path):
    fixed = b"".join(struct.pack("<i", v)[:3] for v in (-1, 1 << 22, -(1 << 23)))
    columns = [fixed, [255], [128] * 3, [0, 255, 160], [255, 128, 128], [128] * 72]
    cloud = read(tmp_path / "a.spz", make_spz(2, 4, columns, fraction_bits=20))
    assert cloud.positions[0] == pytest.approx([-(2.0**-20), -4, 8])
    assert cloud.scales[0] == pytest.approx(np.exp([-10, 255 / 16 - 10, 0]), rel=1e-5)
    assert cloud.degree == 3
    tiny = 128 / 127.5 - 1
    assert _spread(cloud.rotations[0], [1, 2, 3]) == pytest.approx(
        np.diag([1.0, -1, -1]) @ _spread([0, 1, tiny, tiny], [1, 2, 3]) @ np.diag([1.0, -1, -1]),
        abs=0.1,
    )


def test_spz_version_1(tmp_path):
    places = np.array([1.5, -2, 0.25], "<f2").tobytes()
    columns = [places, [0], [0] * 3, [160] * 3, [128, 128, 128], []]
    cloud = read(tmp_path / "a.spz", make_spz(1, 0, columns))
    assert cloud.positions.tolist() == [[1.5, 2, -0.25]]


def test_extensions_at_the_end_of_spz_are_passed_over(tmp_path):
    columns = [bytes(9), [255], [128] * 3, [160] * 3, bytes(3), [], b"\x02\x00\xbe\xad" + bytes(16)]
    cloud = read(tmp_path / "a.spz", make_spz(2, 0, columns, flags=2))
    assert cloud.count == 1


def test_a_splat(tmp_path):
    first = struct.pack("<6f8B", 1, 2, 3, 0.1, 0.2, 0.3, 255, 0, 51, 204, 128, 128, 192, 128)
    second = struct.pack("<6f8B", 4, 5, 6, 1, 1, 1, 0, 0, 0, 0, 255, 128, 128, 128)
    cloud = read(tmp_path / "a.splat", first + second)
    assert cloud.positions.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert cloud.scales[0] == pytest.approx([0.1, 0.2, 0.3])
    assert cloud.harmonics[0, :, 0] == pytest.approx([0.5 / C0, -0.5 / C0, -0.3 / C0])
    assert cloud.opacities.tolist() == [pytest.approx(0.8), 0]
    assert cloud.rotations == pytest.approx(np.array([[0, 0, 1, 0], [1, 0, 0, 0]]))


def _matrix(q):
    w, x, y, z = np.asarray(q, float) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _spread(q, scales):
    axes = _matrix(q) * np.asarray(scales, float)
    return axes @ axes.T

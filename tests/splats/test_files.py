# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Round trips of files of Gaussians with their bounds, and files that are none."""

import gzip
import struct
import time

import numpy as np
import pytest

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.splats.axes import UpAxis
from da3_blender.splats.files import SplatFormat, read_splats, write_splats
from da3_blender.splats.gaussian_ply import PlyLayout, write_gaussian_ply
from da3_blender.splats.spz_file import write_spz
from tests.splats.clouds import make_cloud, measure_turns

READABLE = [kind for kind in SplatFormat if kind is not SplatFormat.USD]


def match(cloud, read):
    """Order the Gaussians that were read like those written: some formats sort them."""
    near = np.abs(cloud.positions[:, None] - read.positions[None]).sum(-1).argmin(axis=1)
    assert len(set(near.tolist())) == cloud.count
    return read.take(near)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_ply_is_exact(tmp_path, degree):
    path, cloud = tmp_path / "a.ply", make_cloud(500, degree)
    write_splats(path, cloud, SplatFormat.PLY)
    read = read_splats(path).cloud
    for name in ("positions", "rotations", "harmonics"):
        assert np.array_equal(getattr(read, name), getattr(cloud, name)), name
    # logarithm and logit to float32 and back
    assert np.allclose(read.scales, cloud.scales, rtol=1e-6)
    assert np.allclose(read.opacities, cloud.opacities, atol=2e-7)


def test_ply_has_the_original_columns(tmp_path):
    path = tmp_path / "a.ply"
    write_splats(path, make_cloud(3), SplatFormat.PLY)
    head, body = path.read_bytes().split(b"end_header\n", 1)
    lines = head.decode().splitlines()
    assert lines[:3] == ["ply", "format binary_little_endian 1.0", "element vertex 3"]
    wanted = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"]
    wanted += [f"f_rest_{i}" for i in range(45)]
    wanted += ["opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    assert lines[3:] == [f"property float {name}" for name in wanted]
    assert len(body) == 3 * 62 * 4


@pytest.mark.parametrize("layout", list(PlyLayout))
def test_other_layouts_of_ply_are_read(tmp_path, layout):
    path, cloud = tmp_path / "a.ply", make_cloud(20)
    write_gaussian_ply(path, cloud, layout)
    read = read_splats(path).cloud
    assert np.array_equal(read.harmonics[:, :, 0], cloud.harmonics[:, :, 0])
    assert np.array_equal(read.positions, cloud.positions)


@pytest.mark.parametrize("degree", [0, 3])
def test_compressed_ply_keeps_its_steps(tmp_path, degree):
    path, cloud = tmp_path / "a.compressed.ply", make_cloud(1000, degree)
    write_splats(path, cloud, SplatFormat.COMPRESSED_PLY)
    read = match(cloud, read_splats(path).cloud)
    # ranges of a chunk are at most 4 units, 3 in log(scale), 3 / C0 in colours
    assert np.abs(read.positions - cloud.positions).max() <= 4 / 1023 / 2 + 1e-5
    assert np.abs(np.log(read.scales / cloud.scales)).max() <= 3 / 1023 / 2 + 1e-5
    assert np.abs(read.opacities - cloud.opacities).max() <= 0.5 / 255 + 1e-6
    flat = np.abs(read.harmonics[:, :, 0] - cloud.harmonics[:, :, 0])
    assert flat.max() <= 3 / 255 / 2 + 1e-4
    more = np.abs(read.harmonics[:, :, 1:] - cloud.harmonics[:, :, 1:])
    assert more.max(initial=0) <= 8 / 256 / 2 + 1e-5
    assert measure_turns(read.rotations, cloud.rotations).max() < 0.005


# version 3: three components off by 0.0007 each and the largest by what follows from them;
# version 2: three off by 0.004, and w, where it is near 0, by sqrt(2 * 0.007)
@pytest.mark.parametrize(("version", "turn"), [(2, 0.25), (3, 0.0048)])
def test_spz_keeps_its_steps(tmp_path, version, turn):
    path, cloud = tmp_path / "a.spz", make_cloud(1000)
    write_spz(path, cloud, version)
    read = read_splats(path).cloud
    assert np.abs(read.positions - cloud.positions).max() <= 2.0**-20 / 2 + 1e-7
    assert np.abs(np.log(read.scales / cloud.scales)).max() <= 1 / 32 + 1e-5
    assert np.abs(read.opacities - cloud.opacities).max() <= 0.5 / 255 + 1e-6
    off = np.abs(read.harmonics - cloud.harmonics)
    assert off[:, :, 0].max() <= 0.5 / (255 * 0.15) + 1e-5
    assert off[:, :, 1:4].max() <= 4.5 / 128 + 1e-5
    assert off[:, :, 4:].max() <= 8.5 / 128 + 1e-5
    turns = measure_turns(read.rotations, cloud.rotations)
    assert turns.max() < turn
    assert np.median(turns) < 0.015


@pytest.mark.parametrize("extent", [0.01, 100, 5000])
def test_spz_finds_steps_for_small_and_large_scenes(tmp_path, extent):
    path, cloud = tmp_path / "a.spz", make_cloud(50, 0, extent=extent)
    write_spz(path, cloud)
    off = np.abs(read_splats(path).cloud.positions - cloud.positions).max()
    assert off <= max(extent / 2**22, 2.0**-20) / 2 * 1.1


def test_spz_says_when_a_scene_is_too_large(tmp_path):
    with pytest.raises(EngineError, match="from the origin"):
        write_spz(tmp_path / "a.spz", make_cloud(5, extent=1e8))
    assert not list(tmp_path.iterdir())


def test_splat_keeps_its_steps(tmp_path):
    path, cloud = tmp_path / "a.splat", make_cloud(1000)
    write_splats(path, cloud, SplatFormat.SPLAT)
    unsorted = read_splats(path).cloud
    size = unsorted.scales.prod(1)
    step = size[1:] * (0.5 / 255) + size[:-1] * (0.5 / 255)  # of the opacities that were written
    assert (np.diff(size * unsorted.opacities) <= step).all()
    read = match(cloud, unsorted)
    assert np.array_equal(read.positions, cloud.positions)
    assert np.array_equal(read.scales, cloud.scales)
    assert np.abs(read.opacities - cloud.opacities).max() <= 0.5 / 255 + 1e-6
    c0 = 0.28209479
    colour = np.clip(0.5 + c0 * cloud.harmonics[:, :, 0], 0, 1)
    assert np.abs(0.5 + c0 * read.harmonics[:, :, 0] - colour).max() <= 0.5 / 255 + 1e-6
    assert read.degree == 0
    assert measure_turns(read.rotations, cloud.rotations).max() < 0.03


@pytest.mark.parametrize("kind", READABLE)
def test_up_axes_go_both_ways(tmp_path, kind):
    path, cloud = tmp_path / f"a{kind.value}", make_cloud(100)
    write_splats(path, cloud, kind, UpAxis.PLUS_Z)
    read = match(cloud, read_splats(path, UpAxis.PLUS_Z).cloud)
    assert np.abs(read.positions - cloud.positions).max() < 0.01
    assert measure_turns(read.rotations, cloud.rotations).max() < 0.03


def test_usd_has_the_arrays_of_the_schema(tmp_path):
    path, cloud = tmp_path / "a.usda", make_cloud(40_000, 1)
    write_splats(path, cloud, SplatFormat.USD)
    lines = path.read_text(encoding="ascii").splitlines()
    arrays = {}
    for line in lines:
        if "[] " in line:
            name, text = line.split("[] ")[1].split(" = [")
            arrays[name] = np.array(text[:-1].translate(PARENTHESES).split(","), np.float32)
    assert lines[0] == "#usda 1.0"
    assert '    upAxis = "Y"' in lines
    assert "    uniform int radiance:sphericalHarmonicsDegree = 1" in lines
    assert np.array_equal(arrays["positions"].reshape(-1, 3), cloud.positions * (1, -1, -1))
    assert np.array_equal(arrays["scales"].reshape(-1, 3), cloud.scales)
    assert np.array_equal(arrays["opacities"], cloud.opacities)
    lengths = np.linalg.norm(arrays["orientations"].reshape(-1, 4), axis=1)
    assert np.allclose(lengths, 1, atol=1e-6)
    # particle by particle, coefficient by coefficient; -y and z change their signs, -x does not
    rows = arrays["radiance:sphericalHarmonicsCoefficients"].reshape(-1, 4, 3)
    wanted = cloud.harmonics.transpose(0, 2, 1) * np.array([1, -1, -1, 1])[:, None]
    assert np.allclose(rows, wanted, atol=1e-6)


PARENTHESES = str.maketrans("", "", "()")


def refuse(path, data=None):
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(EngineError) as caught:
        read_splats(path)
    assert caught.value.hint
    return caught.value


def make_ply(names, count, body=b"", kind="binary_little_endian"):
    head = f"ply\nformat {kind} 1.0\nelement vertex {count}\n"
    return (head + "".join(f"property float {n}\n" for n in names) + "end_header\n").encode() + body


def test_a_point_ply_is_named_as_one(tmp_path):
    data = make_ply(["x", "y", "z"], 2, bytes(24))
    error = refuse(tmp_path / "points.ply", data)
    assert error.code is ErrorCode.INPUT_UNREADABLE
    assert "2 points or vertices but no Gaussians" in error.message
    assert "Stanford PLY" in error.hint


def test_a_text_ply_is_named_as_one(tmp_path):
    error = refuse(tmp_path / "a.ply", make_ply(["x", "y", "z"], 1, b"0 0 0\n", "ascii"))
    assert "text (ASCII)" in error.message


@pytest.mark.parametrize("kind", READABLE)
def test_files_that_end_too_early_say_so(tmp_path, kind):
    path = tmp_path / f"a{kind.value}"
    write_splats(path, make_cloud(400), kind)
    data = path.read_bytes()
    error = refuse(path, data[: len(data) // 2 + 1])
    assert error.code is ErrorCode.INPUT_UNREADABLE
    assert "early" in error.message or "unpacked" in error.message
    for length in (5, 20):
        assert refuse(path, data[:length]).code is ErrorCode.INPUT_UNREADABLE


def test_impossible_numbers_of_gaussians_are_refused_without_reading(tmp_path):
    names = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"]
    names += ["scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    start = time.monotonic()
    assert "more than" in refuse(tmp_path / "a.ply", make_ply(names, 10**15)).message
    assert "early" in refuse(tmp_path / "b.ply", make_ply(names, 90_000_000)).message
    assert "broken head" in refuse(tmp_path / "c.ply", make_ply(names, -1)).message
    head = struct.pack("<IIIBBBB", 0x5053474E, 3, 2**32 - 1, 3, 12, 0, 0)
    assert "more than" in refuse(tmp_path / "d.spz", gzip.compress(head)).message
    head = struct.pack("<IIIBBBB", 0x5053474E, 3, 1000, 3, 12, 0, 0)
    assert "early" in refuse(tmp_path / "e.spz", gzip.compress(head + bytes(500))).message
    assert time.monotonic() - start < 1


def test_numbers_that_are_not_finite_are_left_out_or_refused(tmp_path):
    path, cloud = tmp_path / "a.ply", make_cloud(10)
    cloud.positions[3] = np.nan
    write_splats(path, cloud, SplatFormat.PLY)
    read = read_splats(path)
    assert (read.cloud.count, read.dropped) == (9, 1)
    cloud.positions[:] = np.inf
    write_splats(path, cloud, SplatFormat.PLY)
    assert "none has sound numbers" in refuse(path).message


def test_other_files_are_refused(tmp_path):
    assert "no file of Gaussians" in refuse(tmp_path / "a.ply", b"\x89PNG").message
    assert "version 4" in refuse(tmp_path / "a.spz", b"NGSP" + bytes(28)).message
    head = struct.pack("<IIIBBBB", 0x5053474E, 9, 1, 0, 12, 0, 0)
    assert "version 9" in refuse(tmp_path / "b.spz", gzip.compress(head)).message
    assert "not an SPZ" in refuse(tmp_path / "c.spz", gzip.compress(bytes(64))).message
    assert "multiple of 32" in refuse(tmp_path / "a.splat", bytes(33)).message
    assert refuse(tmp_path / "b.splat", b"").code is ErrorCode.INPUT_EMPTY
    assert refuse(tmp_path / "none.ply").code is ErrorCode.INPUT_MISSING
    assert "f_rest" in refuse(tmp_path / "d.ply", _make_odd_harmonics()).message


def _make_odd_harmonics():
    names = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "f_rest_0", "opacity"]
    names += ["scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    return make_ply(names, 1, bytes(60))


def test_an_empty_cloud_is_not_written(tmp_path):
    cloud = make_cloud(5)
    with pytest.raises(EngineError) as caught:
        write_splats(tmp_path / "a.ply", cloud.take(cloud.opacities > 2), SplatFormat.PLY)
    assert caught.value.code is ErrorCode.INPUT_EMPTY


@pytest.mark.parametrize("kind", READABLE)
def test_half_a_million_gaussians_take_seconds(tmp_path, kind):
    path, cloud = tmp_path / f"a{kind.value}", make_cloud(500_000)
    write_splats(path, cloud, kind)
    start = time.process_time()
    read = read_splats(path)
    spent = time.process_time() - start
    assert read.cloud.count == cloud.count
    assert spent < 5, f"{spent:.1f} s"  # 0.3 to 1 s on two shared cores

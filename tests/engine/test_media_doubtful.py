# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos that will not do: made ones with a known fault, and real ones without any."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from da3_blender.contract.errors import CancelledError
from da3_blender.contract.settings import RunSettings
from da3_blender.contract.views import View
from da3_blender.media import open_source
from da3_blender.media.doubtful_photos import (
    describe_findings,
    find_doubtful_photos,
    find_other_lenses,
)

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "courtyard"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def look_at(folder):
    source = open_source(RunSettings((str(folder),), str(folder / "out"), input_kind="PHOTOS"))
    return find_doubtful_photos(source, lambda _done, _count: None)


@pytest.fixture
def photos(tmp_path):
    for path in sorted(SAMPLES.glob("*.jpg"))[:8]:
        shutil.copy(path, tmp_path)
    return tmp_path


def test_good_photos_are_left_alone(photos):
    assert look_at(photos) == []


@pytest.mark.parametrize("radius", [2, 4, 10])
def test_a_blurred_photo_is_found(photos, radius):
    path = photos / "courtyard_03.jpg"
    with Image.open(path) as picture:
        picture.filter(ImageFilter.GaussianBlur(radius)).save(path, quality=95)
    (finding,) = look_at(photos)
    assert (finding.name, finding.kind) == ("courtyard_03.jpg", "blurred")
    assert "times as wide as usual" in finding.text


def test_a_shaken_photo_is_found(photos):
    path = photos / "courtyard_05.jpg"
    with Image.open(path) as picture:
        pixels = np.asarray(picture, np.float32)
    shaken = np.mean([np.roll(pixels, (n, n // 2), axis=(0, 1)) for n in range(12)], axis=0)
    Image.fromarray(shaken.astype(np.uint8)).save(path, quality=95)
    assert [(f.name, f.kind) for f in look_at(photos)] == [("courtyard_05.jpg", "blurred")]


def test_a_sharp_photo_of_a_plain_wall_is_not_blurred(photos):
    """Little detail, but as fine as elsewhere: grain and a few sharp edges."""
    noise = np.random.default_rng(0).normal(0, 2, (768, 1024, 1))
    wall = np.full((768, 1024, 3), 180.0) + noise
    wall[300:310] = 120
    wall[:, 500:503] = 90
    Image.fromarray(wall.astype(np.uint8)).save(photos / "wall.png")
    assert [f for f in look_at(photos) if f.kind == "blurred"] == []


def test_a_doubled_photo_is_found_also_when_it_was_saved_again_smaller(photos):
    with Image.open(photos / "courtyard_02.jpg") as picture:
        picture.resize((picture.width // 2, picture.height // 2)).save(
            photos / "courtyard_02_copy.jpg", quality=60
        )
    found = {f.kind: f for f in look_at(photos)}
    assert found["doubled"].name == "courtyard_02_copy.jpg"
    assert found["doubled"].text == "is the same picture as courtyard_02.jpg"
    assert found["lens"].name == "courtyard_02_copy.jpg"


def save_with_exif(source, path, *, focal, model="X100"):
    exif = Image.Exif()
    exif[271], exif[272] = "Maker", model
    exif.get_ifd(0x8769)[0xA405] = focal  # focal length on 35 mm film
    with Image.open(source) as picture:
        picture.save(path, exif=exif, quality=95)


def test_another_zoom_and_another_camera_are_found(tmp_path):
    for index, source in enumerate(sorted(SAMPLES.glob("*.jpg"))[:8]):
        focal, model = (70 if index == 2 else 24), ("Phone" if index == 6 else "X100")
        save_with_exif(source, tmp_path / f"{index}.jpg", focal=focal, model=model)
    found = look_at(tmp_path)
    assert [(f.name, f.kind) for f in found] == [("2.jpg", "lens"), ("6.jpg", "lens")]
    assert "another zoom: 2.9 times" in found[0].text
    assert "another camera: Maker Phone" in found[1].text


def make_views(count=10):
    return [View(f"{n}.jpg", "", 400, 300, focal_prior_px=500) for n in range(count)]


def test_upright_photos_of_the_same_camera_are_no_other_lens():
    views = make_views()
    views[3] = replace(views[3], width=300, height=400)
    assert find_other_lenses(views) == []


def test_where_every_photo_differs_none_is_odd():
    views = [
        replace(v, width=400 + 10 * n, focal_prior_px=300 + 80 * n)
        for n, v in enumerate(make_views())
    ]
    assert find_other_lenses(views) == []


def test_findings_become_sentences(photos):
    shutil.copy(photos / "courtyard_01.jpg", photos / "z.jpg")
    assert describe_findings(look_at(photos)) == ["1 photos are there twice: z.jpg."]


def test_it_can_be_stopped(photos):
    def stop(done, _count):
        if done == 2:
            raise CancelledError

    source = open_source(RunSettings((str(photos),), "out"))
    with pytest.raises(CancelledError):
        find_doubtful_photos(source, stop)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no real photos here")
def test_real_photos_of_one_walk_are_hardly_doubted():
    sets = [
        p
        for p in sorted(SHARED.rglob("*"))
        if p.is_dir() and len(list(p.glob("*.[jJ][pP]*[gG]"))) >= 8
    ]
    if not sets:
        pytest.skip("no sets of photos here")
    for folder in sets[:3]:
        found = [f for f in look_at(folder) if f.kind != "lens"]
        assert len(found) <= 0.15 * len(list(folder.glob("*"))), (folder.name, found)

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyframes: moving pictures whose motion is known, and blurred frames among them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow is not installed")
pytest.importorskip("av", reason="PyAV is not installed")

import av
from PIL import Image, ImageFilter

from da3_blender.contract.errors import CancelledError
from da3_blender.contract.settings import RunSettings
from da3_blender.media import open_source
from da3_blender.media.chosen_frames import ChosenFrames
from da3_blender.media.keyframes import (
    Track,
    choose_by_motion,
    choose_keyframes,
    choose_number,
    find_blurred,
    measure_track,
)
from da3_blender.media.picture_motion import MotionMeter

WIDTH, HEIGHT = 640, 360
DIAGONAL = float(np.hypot(WIDTH, HEIGHT))
RATE = 24


def make_wall(seed=0, width=3000):
    """A wide picture with things of all sizes, as walls and trees have them."""
    rng = np.random.default_rng(seed)
    total = np.zeros((HEIGHT + 80, width))
    for cell in (4, 12, 40):
        size = (width // cell + 1, (HEIGHT + 80) // cell + 1)
        grid = Image.fromarray(rng.integers(0, 255, size[::-1], dtype=np.uint8))
        total += np.asarray(grid.resize((width, HEIGHT + 80), Image.Resampling.BICUBIC), float)
    return Image.fromarray((total / 3).astype(np.uint8))


def see(wall, x, blur=0.0):
    """What a camera sees at a place, in pixels and parts of them."""
    box = (x, 20, x + WIDTH, 20 + HEIGHT)
    picture = wall.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=box)
    return picture.filter(ImageFilter.GaussianBlur(blur)) if blur else picture


def make_shot(folder, places, blurred=()):
    """Write frames as a numbered sequence and open it."""
    folder.mkdir()
    wall = make_wall()
    for number, x in enumerate(places):
        picture = see(wall, float(x), 4.0 if number in blurred else 0.0)
        picture.convert("RGB").save(folder / f"shot_{number + 1:04d}.jpg", quality=92)
    return open_shot(folder, "SEQUENCE")


def make_settings(path, kind="AUTO", **changes):
    return RunSettings(inputs=(str(path),), output="out", input_kind=kind, **changes)


def open_shot(path, kind="AUTO"):
    return open_source(make_settings(path, kind))


def ignore(_done, _count):
    pass


# stands for half a second, moves by 8 pixels a frame, stands again for two seconds
PLACES = [100.0] * 12 + [100.0 + 8 * (n + 1) for n in range(60)] + [580.0] * 48


def test_the_way_of_the_picture_is_measured_to_a_few_percent(tmp_path):
    track = measure_track(make_shot(tmp_path / "a", PLACES), 0.05, ignore)
    true = (np.array(PLACES) - PLACES[0]) / DIAGONAL
    assert np.abs(track.way - true).max() < 0.04 * true[-1]
    assert np.ptp(track.way[:12]) < 0.001
    assert np.ptp(track.way[72:]) < 0.002


@pytest.mark.parametrize("speed", [0.7, 3.3, 25.0, 70.0])
def test_slow_and_fast_motion_are_seen(speed):
    wall = make_wall()
    meter = MotionMeter(0.025, 0.05)
    count = max(12, int(200 / speed))
    for n in range(count):
        small = see(wall, 100 + speed * n).resize((160, 90), Image.Resampling.BOX)
        way = meter.add(np.asarray(small))
    assert way == pytest.approx(speed * (count - 1) / DIAGONAL, rel=0.06)


def test_a_hand_that_shakes_and_a_walker_are_no_way():
    wall, walker = make_wall(), make_wall(5)
    meter = MotionMeter(0.025, 0.05)
    rng = np.random.default_rng(1)
    for n in range(40):
        picture = see(wall, 100 + rng.uniform(-2.5, 2.5))
        picture.paste(walker.crop((0, 0, 150, 300)), (10 + 9 * n, 40))
        way = meter.add(np.asarray(picture.resize((160, 90), Image.Resampling.BOX)))
    assert way < 0.01


def test_brightness_is_no_motion_and_a_bare_wall_none_either():
    wall = make_wall()
    meter = MotionMeter(0.025, 0.05)
    for n in range(10):
        small = np.asarray(see(wall, 100).resize((160, 90)), float) * (1 - 0.05 * n)
        way = meter.add(small.astype(np.uint8))
    assert way < 0.003
    bare = MotionMeter(0.025, 0.05)
    assert [bare.add(np.full((90, 160), 128, np.uint8)) for _ in range(4)] == [0.0] * 4


def test_another_picture_is_worth_a_keyframe():
    meter = MotionMeter(0.025, 0.05)
    ways = []
    for wall in (make_wall(), make_wall(9)):
        small = np.asarray(see(wall, 100).resize((160, 90), Image.Resampling.BOX))
        ways += [meter.add(small) for _ in range(6)]
    assert ways[5] < 0.001
    assert ways[-1] >= 0.05


def test_keyframes_follow_the_motion_and_the_clock(tmp_path):
    source = make_shot(tmp_path / "a", PLACES)
    told = []
    chosen = choose_keyframes(
        source, make_settings(tmp_path, keyframes="AUTO"), lambda *done: told.append(done)
    )
    assert (chosen[0], chosen[-1]) == (0, len(PLACES) - 1)
    # 5 percent of the diagonal are 36.7 pixels: between 4 and 6 frames of 8 pixels
    moving = [n for n in chosen if 14 <= n <= 71]
    assert set(np.diff(moving)) <= {4, 5, 6}
    # where nothing moves there is one a second
    assert max(np.diff(chosen)) == RATE
    assert sum(72 <= n < len(PLACES) - 1 for n in chosen) >= 1
    assert told == [(n + 1, len(PLACES)) for n in range(len(PLACES))]
    again = choose_keyframes(source, make_settings(tmp_path, keyframes="AUTO"), ignore)
    assert again == chosen


def test_blurred_frames_are_passed_over(tmp_path):
    sharp = choose_keyframes(
        make_shot(tmp_path / "a", PLACES), make_settings(tmp_path, keyframes="AUTO"), ignore
    )
    blurred = {*sharp[2:-1:2], sharp[4] - 1}
    source = make_shot(tmp_path / "b", PLACES, blurred)
    track = measure_track(source, 0.05, ignore)
    assert set(np.flatnonzero(find_blurred(track.detail))) == blurred
    for mode in ("AUTO", "COUNT"):
        settings = make_settings(tmp_path, keyframes=mode, keyframe_count=len(sharp))
        chosen = choose_keyframes(source, settings, ignore)
        assert not blurred & set(chosen)
        assert abs(len(chosen) - len(sharp)) <= 1
        # nothing else changes: the keyframes stay near to where they were
        assert mode == "COUNT" or max(np.diff(track.way[chosen])) < 0.075


def test_a_wished_number_is_kept_and_follows_the_motion(tmp_path):
    track = measure_track(make_shot(tmp_path / "a", PLACES), 0.05, ignore)
    for number in (2, 3, 17, 80, len(PLACES) - 1, len(PLACES), 1000):
        chosen = choose_number(track, number)
        assert len(chosen) == min(number, len(PLACES))
        assert chosen == sorted(set(chosen))
        assert (chosen[0], chosen[-1]) == (0, len(PLACES) - 1)
    chosen = np.array(choose_number(track, 20))
    assert 14 <= np.count_nonzero((chosen >= 12) & (chosen < 72)) <= 18


def test_cancelling_ends_the_look(tmp_path):
    source = make_shot(tmp_path / "a", PLACES[:20])
    seen = []

    def stop(done, _count):
        seen.append(done)
        if done == 3:
            raise CancelledError

    with pytest.raises(CancelledError):
        choose_keyframes(source, make_settings(tmp_path, keyframes="AUTO"), stop)
    assert seen == [1, 2, 3]


def test_videos_are_looked_at_like_sequences(tmp_path):
    wall = make_wall()
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 8_000_000
        for x in PLACES:
            picture = np.asarray(see(wall, x).convert("RGB"))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    video = choose_keyframes(
        open_shot(tmp_path / "a.mp4"), make_settings(tmp_path, keyframes="AUTO"), ignore
    )
    files = choose_keyframes(
        make_shot(tmp_path / "b", PLACES), make_settings(tmp_path, keyframes="AUTO"), ignore
    )
    assert len(video) == len(files)
    assert np.abs(np.subtract(video, files)).max() <= 2


def test_short_shots():
    for count in (1, 2, 3):
        track = Track(np.zeros(count), np.ones(count), np.arange(count) / RATE)
        assert choose_by_motion(track, 0.05) == sorted({0, count - 1})
        assert choose_number(track, 50) == list(range(count))


def test_chosen_frames_are_a_source_of_their_own(tmp_path):
    source = make_shot(tmp_path / "a", PLACES[:30:3])
    part = ChosenFrames(source, [0, 4, 9])
    assert [view.frame for view in part.views] == [1, 5, 10]
    assert np.array_equal(part.read(1), source.read(4))
    found = list(part.iterate(0, [1, 2]))
    assert [index for index, _ in found] == [1, 2]
    assert np.array_equal(found[1][1], source.read(9))
    assert [index for index, _ in part.iterate()] == [0, 1, 2]

# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The card of da3-tiny: its numbers are those of the evaluation and of the facts of the weights."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("scipy", reason="scipy is not installed")
pytest.importorskip("torch", reason="torch is not installed")

from da3_blender.evaluation.evaluate import SceneScores
from training.card import BEGIN, END, describe_facts, write_card

FACTS = {
    "parameters": 7_915_874,
    "file_bytes": 15_876_492,
    "sha256": "ab" * 32,
    "training": {
        "curriculum": "processor",
        "steps": 3500,
        "hours": 1.26,
        "scenes_shown": 20_000,
        "pictures_shown": 56_000,
    },
}


def make_scores(name, offset, frames=4):
    """Return scores whose numbers are all different."""

    def errors(base):
        return {
            "median": {
                "sequence": {"abs_rel": base + offset, "delta_1": 0.5 + offset},
                "image": {"abs_rel": base / 2 + offset},
            }
        }

    pose = {f"auc{limit:02d}": limit / 100 + offset for limit in (3, 5, 15, 30)}
    scores = {"pose": pose, "depth": errors(0.3), "depth_posed": errors(0.2)}
    guess = {"pose": {key: value / 10 for key, value in pose.items()}, "depth": errors(0.4)}
    return SceneScores(name, tuple(f"{i}.png" for i in range(frames)), scores, guess)


@pytest.fixture
def weights(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(FACTS), encoding="utf-8")
    return tmp_path


def test_numbers_go_between_the_marks_and_the_rest_stays(tmp_path, weights):
    card = tmp_path / "card.md"
    card.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    worlds = [make_scores("a", 0.0), make_scores("b", 0.1)]
    for _ in range(2):  # a second time replaces the first
        yard = (make_scores("yard", shift, frames=14) for shift in (0.02, -0.1))
        alone, with_colmap = ([scores] for scores in yard)
        del with_colmap[0].scores["depth_posed"]
        write_card(card, weights, worlds, (alone, with_colmap), 112)
    text = card.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n7.9 million weights, 15.9 MB")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "| | 2 held-out worlds, 4 views | constant | rendered samples, 14 views | w" in text
    assert "35.0 / 20.0 / 10.0 / 8.0" in text  # means of the two worlds, in percent
    assert "32.0 / 17.0 / 7.0 / 5.0" in text
    assert "| 0.350 | 0.450 | 0.320 | 0.200 | 0.420 |" in text
    assert "| 0.250 | - | 0.220 | - | - |" in text


def test_without_samples_the_worlds_stand_alone(tmp_path, weights):
    card = tmp_path / "card.md"
    card.write_text(f"{BEGIN}{END}", encoding="utf-8")
    write_card(card, weights, [make_scores("a", 0.0)], ([], []), 112)
    assert "samples" not in card.read_text(encoding="utf-8")


def test_a_card_without_marks_is_not_touched(tmp_path, weights):
    card = tmp_path / "card.md"
    card.write_text("text", encoding="utf-8")
    with pytest.raises(ValueError, match="no lines"):
        write_card(card, weights, [make_scores("a", 0.0)], ([], []), 112)
    assert card.read_text(encoding="utf-8") == "text"


@pytest.mark.parametrize(
    ("steps", "sides", "views"),
    [(100, "70 to 112", 3), (2500, "70 to 112", 4), (2800, "70 to 112", 6)],
)
def test_the_facts_name_what_was_shown_by_then(steps, sides, views):
    facts = FACTS | {"training": FACTS["training"] | {"steps": steps}}
    assert f"sides of {sides} pixels and at most {views} views" in describe_facts(facts)

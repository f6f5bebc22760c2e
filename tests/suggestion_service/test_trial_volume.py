"""Checkpoints on the volume that Katib mounts: copies for children, safe against repeats, bad names and full disks."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from katib.core.errors import SpecError, UnavailableError
from suggestion_service.trial_volume import TrialVolume


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("good", "other"):
        (tmp_path / "exp" / name / "deep").mkdir(parents=True)
        (tmp_path / "exp" / name / "deep" / "weights").write_text(name)
    return tmp_path


def weights(root: Path, trial: str) -> str:
    return (root / "exp" / trial / "deep" / "weights").read_text()


def test_a_child_gets_a_copy(root: Path) -> None:
    TrialVolume(root).hand_down("exp", "good", "child")
    assert weights(root, "child") == "good"
    (root / "exp" / "child" / "deep" / "weights").write_text("trained on")
    assert weights(root, "good") == "good"


def test_the_same_reply_again_leaves_the_child_alone(root: Path) -> None:
    TrialVolume(root).hand_down("exp", "good", "child")
    (root / "exp" / "child" / "deep" / "weights").write_text("trained on")
    TrialVolume(root).hand_down("exp", "good", "child")
    assert weights(root, "child") == "trained on"


def test_another_parent_takes_the_place_of_what_was_thrown_away(root: Path) -> None:
    volume = TrialVolume(root)
    volume.hand_down("exp", "good", "child")
    volume.hand_down("exp", "other", "child")
    assert weights(root, "child") == "other"
    volume.hand_down("exp", "good", "child")
    assert weights(root, "child") == "good"


def test_what_a_crash_left_half_copied_is_copied_again(root: Path) -> None:
    (root / "exp" / ".child.partial" / "deep").mkdir(parents=True)
    (root / "exp" / "child").mkdir()
    TrialVolume(root).hand_down("exp", "good", "child")
    assert weights(root, "child") == "good"
    assert not (root / "exp" / ".child.partial").exists()


def test_a_missing_checkpoint_is_told(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        TrialVolume(root).hand_down("exp", "gone", "child")
    assert "trial gone has left no checkpoint for trial child" in caplog.text
    assert not (root / "exp" / "child").exists()


@pytest.mark.parametrize("name", ["", "..", "../exp", "/etc", "a/b", ".hidden", "a..b", "a\0b"])
@pytest.mark.parametrize("place", range(3))
def test_names_never_lead_out_of_the_volume(root: Path, name: str, place: int) -> None:
    names = ["exp", "good", "child"]
    names[place] = name
    before = sorted(root.rglob("*"))
    with pytest.raises(SpecError, match="cannot name a folder"):
        TrialVolume(root).hand_down(*names)
    assert sorted(root.rglob("*")) == before


def test_a_volume_that_cannot_be_written_is_tried_again_later(root: Path) -> None:
    (root / "exp" / ".child.partial").write_text("in the way")
    with pytest.raises(UnavailableError, match="checkpoint of trial good cannot be copied now"):
        TrialVolume(root).hand_down("exp", "good", "child")


def test_a_volume_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="trial volume"):
        TrialVolume(tmp_path / "nowhere")

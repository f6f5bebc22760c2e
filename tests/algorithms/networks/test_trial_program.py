"""What the programs of trials have in common."""

from pathlib import Path

import pytest

from algorithms.networks.trial_program import checkpoint_folder, ended, say, trial_seed
from katib.core.errors import PermanentError


def test_a_mistake_of_the_user_ends_a_program_with_one_line(capsys):
    def program():
        say("epoch=1")
        raise PermanentError("--data: unknown")

    assert ended(program) == 2
    assert capsys.readouterr() == ("epoch=1\n", "error: --data: unknown\n")


def test_a_program_without_mistakes_ends_with_0():
    assert ended(lambda: None) == 0


@pytest.mark.parametrize(
    ("text", "seed"),
    [pytest.param(None, 0, id="outside"), pytest.param("", 0, id="empty"), pytest.param("7", 7, id="7")],
)
def test_seed(monkeypatch, text, seed):
    monkeypatch.delenv("KATIB_SEED", raising=False)
    if text is not None:
        monkeypatch.setenv("KATIB_SEED", text)
    assert trial_seed() == seed


def test_a_seed_that_is_no_number(monkeypatch):
    monkeypatch.setenv("KATIB_SEED", "seven")
    with pytest.raises(PermanentError, match=r"\$KATIB_SEED: got 'seven', expected a whole number"):
        trial_seed()


@pytest.mark.parametrize(
    ("text", "folder"), [pytest.param("", None, id="outside"), pytest.param("/kept", Path("/kept"), id="in-a-trial")]
)
def test_checkpoint_folder(monkeypatch, text, folder):
    monkeypatch.setenv("KATIB_CHECKPOINT_DIR", text)
    assert checkpoint_folder() == folder

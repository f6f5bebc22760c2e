"""Shell completion: what click is asked by the scripts, in real shells where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from katib.cli import completion
from katib.cli.completion import SHELLS, WORDS, name_completions
from katib.cli.exits import OK, USAGE
from katib.cli.main import COMMANDS
from katib.cli.main import katib as group
from katib.core.naming import load
from katib.storage import names
from katib.storage.names import names_like
from tests.cli.command_line import KATIB, document, write

BIN = Path(sys.executable).parent


def asked(home, line):
    """What bash is told for the last word of ``line``."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "KATIB_HOME": str(home),
        "_KATIB_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(KATIB, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return [answer.partition(",")[2] for answer in done.stdout.split()]


@pytest.fixture
def trials(katib, finished):
    return sorted(name.rpartition("/")[2] for name in katib("get", "trials", finished, "-o", "name").out.split())


@pytest.fixture
def complete(home, finished):
    return lambda line: asked(home, line)


def test_commands(complete):
    assert set(complete("katib ex")) == {"explain", "export"}
    assert set(complete("katib ")) == set(COMMANDS)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("katib stop ", "experiment"),
        ("katib stop ex", "experiment"),
        ("katib resume --timeout 5m e", "experiment"),
        ("katib best nope", "none"),
        ("katib logs -f exp", "trials"),
        ("katib diff exp", "trials"),
        ("katib describe exp", "both"),
        ("katib wait --for=complete exp", "both"),
        ("katib get trials exp", "both"),
        ("katib stop -n other e", "none"),
        ("katib stop -n default e", "experiment"),
        ("katib stop --namespace=other e", "none"),
        ("katib stop --store sqlite:////nowhere/at/all.db e", "none"),
    ],
)
def test_names(complete, trials, line, found):
    expected = {"experiment": ["exp"], "trials": trials, "both": ["exp", *trials], "none": []}[found]
    assert complete(line) == expected


def test_kinds_and_names_behind_a_slash(complete, trials):
    assert complete("katib get ") == ["experiments", "trials", "suggestions"]
    assert complete("katib get tr") == ["trials"]
    assert complete("katib wait trial/exp-") == [f"trial/{name}" for name in trials]
    assert complete("katib delete exp/e") == ["exp/exp"]


def test_options_and_their_values(complete):
    assert "--max-trials" in complete("katib edit --max")
    assert complete("katib export exp --format js") == ["json", "jsonl"]
    assert complete("katib completion z") == ["zsh"]


def test_nothing_is_made_where_nothing_is(tmp_path):
    assert asked(tmp_path / "empty", "katib stop ") == []
    assert not (tmp_path / "empty").exists()


def test_a_store_in_memory_has_no_names(monkeypatch):
    monkeypatch.setenv("KATIB_STORE", "memory://")
    assert name_completions(["stop"], "") == []


def test_names_of_any_store(finished, home):
    """As those of SQLite, for which there is a shorter way."""
    url = f"sqlite:///{home / 'katib.db'}"
    quick = names_like(url, "default", "exp-")
    assert names._in_store(url, "default", "exp-") == quick
    assert len(quick.trials) == 3
    assert names._in_store(url, "default", "ex").experiments == ["exp"]


def test_a_file_with_a_question_mark(finished, home, tmp_path):
    """In the path of a SQLite file it means nothing."""
    (home / "katib.db").rename(tmp_path / "what?.db")
    assert names_like(f"sqlite:///{tmp_path / 'what?.db'}", "default", "exp").experiments == ["exp"]


@pytest.mark.parametrize("name", WORDS)
def test_flags_are_known(name):
    """A flag that is not known would be taken for an option with a value."""
    command = load("command", COMMANDS[name][0], {})
    flags = {word for option in command.params if getattr(option, "is_flag", False) for word in option.opts}
    assert flags <= completion.FLAGS


@pytest.mark.parametrize("shell", SHELLS)
def test_script(katib, shell):
    answer = katib("completion", shell)
    assert (answer.status, answer.err) == (OK, "")
    assert f"_KATIB_COMPLETE={shell}_complete" in answer.out
    assert group.name == "katib"


def test_unknown_shell(katib):
    assert katib("completion", "csh").status == USAGE


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_in_bash(home, finished, trials):
    """The script as bash runs it when the tab key is pressed."""
    script = (
        'eval "$(katib completion bash)"\n'
        f"COMP_WORDS=(katib logs {trials[0][:-3]}) COMP_CWORD=2\n"
        "_katib_completion katib\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    environment = {**os.environ, "KATIB_HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "--norc", "-c", script], env=environment, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == ([trials[0]], "")


def test_does_not_touch_an_experiment(katib, tmp_path, home):
    katib("run", write(tmp_path, document(maxTrialCount=1)))
    before = (home / "katib.db").read_bytes()
    assert asked(home, "katib stop ") == ["exp"]
    assert (home / "katib.db").read_bytes() == before

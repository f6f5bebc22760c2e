"""``katib logs``: whole, as they grow, and of earlier attempts."""

from __future__ import annotations

import json

import pytest

from katib.cli.exits import NOT_FOUND, OK, TIME_OUT, USAGE
from tests.cli.command_line import document, started, until, write


def trial_name(katib, name="exp"):
    return json.loads(katib("get", "trials", name, "-o", "json").out)["items"][0]["metadata"]["name"]


def test_output_as_it_was_written(katib, tmp_path):
    script = r"printf 'loss=1\n\033[31mred\033[0m \377'; echo err >&2"
    katib("run", write(tmp_path, document(script=script, maxTrialCount=1)))
    name = trial_name(katib)
    with started(tmp_path, "logs", name) as process:
        process.popen.wait()
        assert process._out.read_bytes() == b"loss=1\n\x1b[31mred\x1b[0m \xfferr\n"
    assert katib("logs", f"trial/{name}").status == OK


def test_follows_to_the_end(katib, tmp_path):
    script = "echo first; until test -e go; do sleep 0.05; done; echo loss=1; echo last"
    with started(tmp_path, "run", write(tmp_path, document(script=script, maxTrialCount=1))) as run:
        run.said("Running")
        with started(tmp_path, "logs", "-f", trial_name(katib)) as logs:
            logs.said("first")
            assert logs.popen.poll() is None
            (tmp_path / "go").touch()
            answer = logs.end()
        assert (answer.status, answer.out, answer.err) == (OK, "first\nloss=1\nlast\n", "")
        assert run.end().status == OK


def test_attempts(katib, tmp_path):
    script = "test -e again && { echo second; echo loss=1; exit 0; }; echo first; sleep 30"
    file = write(tmp_path, document(script=script, maxTrialCount=1))
    with started(tmp_path, "run", file) as run:
        run.said("Running")
        name = trial_name(katib)
        until(lambda: katib("logs", name).out == "first\n", "the first line")
        assert katib("stop", "exp").status == OK
        run.end()
    (tmp_path / "again").touch()
    assert katib("resume", "exp").status == OK
    assert katib("logs", name).out == "second\nloss=1\n"
    assert katib("logs", name, "--attempt", "1").out.startswith("first\n")
    answer = katib("logs", name, "--attempt", "3")
    assert (answer.status, answer.err) == (NOT_FOUND, f"error: trial '{name}' has no attempt 3; its newest one is 2\n")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        pytest.param(("exp",), NOT_FOUND, "it is an experiment, see: katib get trials exp", id="experiment"),
        pytest.param(("exp-nnnnnnnn",), NOT_FOUND, "no trial 'exp-nnnnnnnn' in namespace 'default'", id="trial"),
        pytest.param(("nothing",), NOT_FOUND, "no trial 'nothing' in namespace 'default'", id="no dash"),
        pytest.param(("experiment/exp",), USAGE, "trials have logs, got experiment 'exp'", id="kind"),
        pytest.param((), USAGE, "Missing argument", id="no name"),
    ],
)
def test_errors(katib, finished, words, status, message):
    answer = katib("logs", *words)
    assert (answer.status, answer.out) == (status, "")
    assert message in answer.err


def test_nearest_trial(katib, finished):
    name = trial_name(katib)
    assert f"(did you mean '{name}'?)" in katib("logs", f"{name[:-1]}_").err


def test_no_output_yet(katib, tmp_path):
    assert katib("run", write(tmp_path, document(script="sleep 30")), "--timeout", "0.3").status == TIME_OUT
    name = trial_name(katib)
    assert katib("logs", name).out == ""

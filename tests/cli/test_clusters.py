"""Which runner the options give, and what that one is told of its cluster."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from katib.cli.clusters import runner_options, take_runner
from katib.core.errors import SpecError, UnknownNameError
from katib.core.experiment import Component, ExperimentSpec, TrialTemplate
from katib.core.objective import Objective
from katib.core.space import SearchSpace
from katib.core.trial import Key
from katib.options import Options
from trial_runners.settings import KubernetesSettings, RaySettings

JOB, FUNCTION = {"kind": "Job"}, {"kind": "PythonFunction", "spec": {"entryPoint": "m:f"}}


def chosen(*words: str, document: dict = JOB) -> Options:
    """What a command with these options would run with."""
    spec = ExperimentSpec(
        Key("team", "study"), SearchSpace(()), Objective("loss"), Component("random"), template=TrialTemplate(document)
    )

    @click.command()
    @runner_options
    def command(**flags):
        options = take_runner(flags, Options(Path("home")), spec)
        assert not flags, "every option of the runner is taken"
        return options

    return command.main(list(words), standalone_mode=False)


@pytest.mark.parametrize(
    ("words", "document", "runner"),
    [
        pytest.param((), JOB, "local", id="commands-here"),
        pytest.param((), FUNCTION, "process", id="functions-in-processes"),
        pytest.param(("--runner", "inline"), FUNCTION, "inline", id="asked-for"),
        pytest.param(("--runner", "ray"), FUNCTION, "ray", id="functions-on-ray", marks=pytest.mark.requires("ray")),
        pytest.param(("--runner", "ray"), JOB, "ray", id="commands-on-ray", marks=pytest.mark.requires("ray")),
    ],
)
def test_runner(words, document, runner):
    assert chosen(*words, document=document).runner == runner


@pytest.mark.requires("ray")
def test_ray(tmp_path):
    (tmp_path / "env.yaml").write_text("env_vars: {A: b}\npip: [numpy]\n")
    words = ("--runner", "ray", "--address", "host:6379", "--runtime-env", str(tmp_path / "env.yaml"))
    expected = RaySettings("host:6379", {"env_vars": {"A": "b"}, "pip": ["numpy"]}, "s3://bucket/folder")
    assert chosen(*words, "--checkpoints", "s3://bucket/folder").ray == expected


def test_kubernetes():
    words = ("--runner", "kubernetes", "--context", "lab", "--checkpoints", "claim:data")
    expected = KubernetesSettings("lab", "claim:data", "python:3.12", "trial:1")
    assert chosen(*words, "--collector-image", "python:3.12", "--image", "trial:1").kubernetes == expected


def test_the_environment_says_what_was_not_typed(monkeypatch):
    monkeypatch.setenv("KATIB_KUBERNETES_CONTEXT", "lab")
    monkeypatch.setenv("KATIB_CHECKPOINTS", "claim:data")
    monkeypatch.setenv("KATIB_RAY_ADDRESS", "host:6379")
    assert chosen("--runner", "kubernetes").kubernetes == KubernetesSettings("lab", "claim:data")
    assert chosen("--runner", "kubernetes", "--context", "own").kubernetes.context == "own"
    assert chosen().runner == "local", "a variable for another runner does no harm"


@pytest.mark.parametrize(
    ("words", "document", "error", "message"),
    [
        pytest.param(("--runner", "kube"), JOB, UnknownNameError, "unknown runner 'kube'", id="unknown"),
        pytest.param(
            ("--runner", "process"), JOB, click.UsageError, "calls a function, but the template's kind is Job", id="job"
        ),
        pytest.param(
            ("--runner", "local"), FUNCTION, click.UsageError, "runs commands, but the template is a", id="function"
        ),
        pytest.param(("--address", "x"), JOB, click.UsageError, "--address is for --runner ray", id="of-another"),
        pytest.param(
            ("--checkpoints", "/x"),
            JOB,
            click.UsageError,
            "--checkpoints is for --runner ray and kubernetes",
            id="of-two-others",
        ),
    ],
)
def test_what_does_not_fit(words, document, error, message):
    with pytest.raises(error, match=message):
        chosen(*words, document=document)


@pytest.mark.requires("ray")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "env.yaml: cannot be read: No such file", id="missing"),
        pytest.param("a: 1\n---\nb: 2\n", "has 2 documents, expected one", id="two"),
        pytest.param("a: [", "env.yaml", id="no-yaml"),
    ],
)
def test_a_runtime_environment_that_cannot_be_read(tmp_path, text, message):
    if text is not None:
        (tmp_path / "env.yaml").write_text(text)
    with pytest.raises(SpecError, match=message):
        chosen("--runner", "ray", "--runtime-env", str(tmp_path / "env.yaml"))

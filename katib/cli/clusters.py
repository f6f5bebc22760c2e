"""The options that say what runs trials, and how clusters are reached."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

from katib.compose_runners import FUNCTION_RUNNERS
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.naming import load
from katib.options import Options
from katib.resources.python_function import KIND, is_python_function
from katib.resources.yaml_loader import load_documents, read_text
from trial_runners import RUNNERS
from trial_runners.settings import KubernetesSettings, RaySettings

# Option -> (metavar, runners that it is for, help).
_OPTIONS = {
    "address": (
        "ADDRESS",
        ("ray",),
        "Ray cluster to join: auto, HOST:PORT, ray://HOST:PORT  [default: one of its own]",
    ),
    "runtime_env": ("FILE", ("ray",), "Ray's runtime environment of the trials, YAML"),
    "context": ("NAME", ("kubernetes",), "Context of the kubeconfig  [default: its current one]"),
    "image": ("IMAGE", ("kubernetes",), f"Container image that runs the function of a {KIND}"),
    "collector_image": (
        "IMAGE",
        ("kubernetes",),
        "Image with python3 that reads metric files beside a trial  [default: the trial's own]",
    ),
    "checkpoints": (
        "PLACE",
        ("ray", "kubernetes"),
        "Where checkpoints outlive a node: a folder that all nodes share (ray), claim:NAME of a PersistentVolumeClaim "
        "(kubernetes), or a URL (s3://bucket/folder)",
    ),
}


def runner_options(command: Any) -> Any:
    """``--runner`` and what belongs to it."""
    options = [
        click.option(
            "--runner",
            metavar="local|process|inline|ray|kubernetes",
            help="What runs trials: commands on this machine; a Python function in worker processes, or right here; "
            f"either of them on a Ray or Kubernetes cluster  [default: local, process for a template of kind {KIND}]",
        )
    ]
    for name, (metavar, runners, text) in _OPTIONS.items():
        kind = click.Path(path_type=Path) if name == "runtime_env" else None
        flag = f"--{name.replace('_', '-')}"
        variable = f"KATIB_{'_'.join((*(runners if len(runners) == 1 else ()), name)).upper()}"
        options.append(click.option(flag, type=kind, metavar=metavar, envvar=variable, help=text))
    for option in reversed(options):
        command = option(command)
    return command


def take_runner(flags: dict[str, Any], options: Options, spec: ExperimentSpec) -> Options:
    """Take the values of these options out of ``flags``: the runner asked for, or the one that fits the template.

    Raises UnknownNameError, UsageError, SpecError on an option of another runner or a bad runtime environment.
    """
    given = {name: value for name in _OPTIONS if (value := flags.pop(name)) is not None}
    function = is_python_function(spec.template.document)
    runner = flags.pop("runner") or ("process" if function else "local")
    load("runner", runner, RUNNERS)
    if runner in FUNCTION_RUNNERS and not function:
        kind = spec.template.document.get("kind")
        raise click.UsageError(f"--runner {runner} calls a function, but the template's kind is {kind}; use local")
    if runner == "local" and function:
        raise click.UsageError(f"--runner local runs commands, but the template is a {KIND}; use process or inline")
    _refuse_strangers(given, runner)
    settings: dict[str, Any] = {}
    if runner == "ray":
        settings["ray"] = RaySettings(**{**_of(RaySettings, given), **_runtime_env(given)})
    elif runner == "kubernetes":
        settings["kubernetes"] = KubernetesSettings(**_of(KubernetesSettings, given))
    return replace(options, runner=runner, **settings)


def _refuse_strangers(given: dict[str, Any], runner: str) -> None:
    """An option that was typed must be of use; a variable of the environment need not be."""
    context = click.get_current_context()
    for name in given:
        typed = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if typed and runner not in _OPTIONS[name][1]:
            raise click.UsageError(f"--{name.replace('_', '-')} is for --runner {' and '.join(_OPTIONS[name][1])}")


def _of(settings: type, given: dict[str, Any]) -> dict[str, Any]:
    return {f.name: given[f.name] for f in fields(settings) if f.name in given}


def _runtime_env(given: dict[str, Any]) -> dict[str, Any]:
    path = given.get("runtime_env")
    if path is None:
        return {}
    documents = load_documents(read_text(path), str(path))
    if len(documents) != 1:
        raise SpecError([Problem("--runtime-env", f"{path} has {len(documents)} documents, expected one")])
    return {"runtime_env": documents[0].tree}

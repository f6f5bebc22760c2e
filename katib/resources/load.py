"""One call from an experiment file to the spec that the engine runs; problems are named by file, line and path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.resources.convert import to_spec
from katib.resources.defaults import fill_defaults
from katib.resources.documents import ConfigMapSource, Experiment
from katib.resources.reading import read
from katib.resources.scalars import show
from katib.resources.template_source import load_template
from katib.resources.validation import Known, find_problems, find_warnings
from katib.resources.yaml_loader import Document, load_documents, read_text

__all__ = ["Known", "LoadedExperiment", "load_experiment", "read_experiment"]


@dataclass(frozen=True, slots=True)
class LoadedExperiment:
    """document: the resource with its defaults filled in, without status. warnings: allowed, but probably not meant."""

    spec: ExperimentSpec
    document: dict[str, Any]
    warnings: tuple[Problem, ...] = ()


def load_experiment(
    source: Path | str,
    *,
    known: Known,
    config_maps: Sequence[Mapping[str, Any]] = (),
    folder: Path | None = None,
) -> LoadedExperiment:
    """The one Experiment of a file (a Path) or of YAML text (a str).

    config_maps: documents in which a template may be found, beside those of the file itself. folder: where to look for
    ``<configMapName>.yaml`` and ``<configMapName>/``; the file's own unless given, none for text.

    Raises SpecError with everything that is wrong.
    """
    name = str(source) if isinstance(source, Path) else ""
    if folder is None and isinstance(source, Path):
        folder = source.parent
    documents = load_documents(read_text(source) if isinstance(source, Path) else source, name)
    document, ignored = _choose(documents, name)
    maps = [*config_maps, *(each.tree for each in documents if each.tree.get("kind") == "ConfigMap")]
    try:
        experiment, template, _ = _check(document.tree, known, partial(load_template, config_maps=maps, folder=folder))
        spec = to_spec(experiment, template=template)
    except SpecError as error:
        raise SpecError(document.located(error.problems), source=name) from None
    warnings = (*ignored, *document.located(find_warnings(experiment)))
    return LoadedExperiment(spec, experiment.tree(), warnings)


def read_experiment(
    tree: Mapping[str, Any], *, known: Known, config_maps: Sequence[Mapping[str, Any]] = (), strict: bool = True
) -> LoadedExperiment:
    """The Experiment of a tree, as a client sends it.

    config_maps: documents in which a template may be found. strict: unknown fields are an error; else a warning.
    Raises SpecError with everything that is wrong.
    """
    if tree.get("kind") != "Experiment":
        raise SpecError([Problem("kind", f"got {show(tree.get('kind'))}, expected Experiment")])
    find = partial(load_template, config_maps=config_maps, folder=None)
    experiment, template, unknown = _check(tree, known, find, strict)
    return LoadedExperiment(
        to_spec(experiment, template=template), experiment.tree(), (*unknown, *find_warnings(experiment))
    )


def _choose(documents: Sequence[Document], name: str) -> tuple[Document, list[Problem]]:
    """The one Experiment among the documents, and a warning for each that is of no use."""
    experiments = [each for each in documents if each.tree.get("kind") == "Experiment"]
    if len(documents) == 1 and not experiments:
        kind = documents[0].tree.get("kind")
        found = "missing" if kind is None else f"got {show(kind)}"
        raise SpecError(documents[0].located([Problem("kind", f"{found}, expected Experiment")]), source=name)
    if len(experiments) != 1:
        lines = ", ".join(str(each.line_of("kind")) for each in experiments)
        found = f"{len(experiments)} of the kind Experiment (lines {lines})" if experiments else "none of them"
        message = f"got {len(documents)} documents, {found}, expected exactly one Experiment"
        raise SpecError([Problem("", message)], source=name)
    others = [each for each in documents if each.tree.get("kind") not in ("Experiment", "ConfigMap")]
    ignored = (each.located([Problem("kind", f"ignored: {show(each.tree.get('kind'))}")]) for each in others)
    return experiments[0], [problem for problems in ignored for problem in problems]


def _check(
    tree: Mapping[str, Any],
    known: Known,
    find_template: Callable[[ConfigMapSource], dict[str, Any]],
    strict: bool = True,
) -> tuple[Experiment, dict[str, Any] | None, list[Problem]]:
    """The experiment with its defaults, its job if that comes from a ConfigMap, and fields that nobody knows unless
    these are an error (``strict``). Raises SpecError."""
    written, unknown = read(Experiment, {key: value for key, value in tree.items() if key != "status"})
    problems, unknown = (unknown, []) if strict else ([], unknown)
    experiment = fill_defaults(written)
    template = None
    source = experiment.spec.trial_template.config_map if experiment.spec.trial_template else None
    if source is not None and source.config_map_name and source.config_map_namespace and source.template_path:
        try:
            template = find_template(source)
        except SpecError as error:
            problems.extend(error.problems)
    problems.extend(find_problems(experiment, known, template))
    if problems:
        raise SpecError(problems)
    return experiment, template, unknown

"""Rules of ``trialTemplate``: its placeholders against its parameters and the search space, and the job itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from katib.core.errors import Problem, SpecError, join_path, nearest_hint
from katib.resources import conditions
from katib.resources.documents import ExperimentSpec, TrialParameterSpec, TrialTemplateSpec
from katib.resources.jobs import pod_template
from katib.resources.kubernetes_job import Job
from katib.resources.python_function import API_VERSION, ENTRY_POINT, entry_point, is_python_function, problems_of
from katib.resources.reading import read
from katib.resources.scalars import show
from katib.resources.template import meta_reference, meta_value, placeholders
from katib.resources.validation_space import MAX_HINTS

ROOT = "spec.trialTemplate"


def template_problems(spec: ExperimentSpec, document: Mapping[str, Any] | None) -> Iterator[Problem]:
    """Everything that is wrong with the template. document: the job, None if it could not be found."""
    template = spec.trial_template
    if template is None:
        yield Problem(ROOT, "missing, expected trialSpec or configMap, trialParameters and primaryContainerName")
        return
    if document is not None and is_python_function(document):
        yield from _python_function(template, document)
        return
    if not template.primary_container_name:
        yield Problem(f"{ROOT}.primaryContainerName", "missing, expected the name of the container that trains")
    yield from _conditions(template)
    yield from _source(template)
    if template.trial_parameters is None:
        yield Problem(f"{ROOT}.trialParameters", "missing, expected a list; [] if the template has no placeholders")
    searched = [parameter.name or "" for parameter in spec.parameters or ()]
    yield from _parameters(template.trial_parameters or (), searched)
    if document is not None:
        yield from _placeholders(template, document)
        yield from _job(document, job_path(template), template.primary_container_name or "")


def _python_function(template: TrialTemplateSpec, document: Mapping[str, Any]) -> Iterator[Problem]:
    """A function needs neither container nor conditions; it gets every parameter by name, so no placeholders either."""
    path = job_path(template)
    if document.get("apiVersion") != API_VERSION:
        yield Problem(f"{path}.apiVersion", f"got {show(document.get('apiVersion'))}, expected {API_VERSION}")
    name = entry_point(document)
    if not ENTRY_POINT.fullmatch(name):
        yield Problem(f"{path}.spec.entryPoint", f"got {show(name)}, expected package.module:function")
    for problem in problems_of(document):
        yield Problem(f"{path}.{problem.path}", problem.message)
    if template.trial_parameters:
        yield Problem(f"{ROOT}.trialParameters", "a PythonFunction gets every parameter by its name; leave this out")


def job_path(template: TrialTemplateSpec) -> str:
    """Where a reader finds the job: in the document itself, or as ``name[key]`` of a ConfigMap."""
    source = template.config_map
    return f"{ROOT}.trialSpec" if source is None else f"{source.config_map_name}[{source.template_path}]"


def _conditions(template: TrialTemplateSpec) -> Iterator[Problem]:
    for name, text in (
        ("successCondition", template.success_condition),
        ("failureCondition", template.failure_condition),
    ):
        if not text:
            yield Problem(f"{ROOT}.{name}", "missing, expected a condition: this kind of template has no default")
            continue
        try:
            conditions.parse(text)
        except SpecError as error:
            yield from error.within(f"{ROOT}.{name}").problems


def _source(template: TrialTemplateSpec) -> Iterator[Problem]:
    if (template.trial_spec is None) == (template.config_map is None):
        found = "got neither" if template.trial_spec is None else "got both"
        yield Problem(ROOT, f"{found} of trialSpec and configMap, expected one of them")
    if template.config_map is not None:
        for name in ("configMapName", "configMapNamespace", "templatePath"):
            if not template.config_map.tree().get(name):
                yield Problem(f"{ROOT}.configMap.{name}", "missing, expected text")


def _parameters(parameters: Sequence[TrialParameterSpec], searched: Sequence[str]) -> Iterator[Problem]:
    names: set[str] = set()
    references: set[str] = set()
    known = frozenset(searched)
    for index, parameter in enumerate(parameters):
        path = f"{ROOT}.trialParameters[{index}]"
        name, reference = parameter.name or "", parameter.reference or ""
        if not _is_name(name):
            yield Problem(f"{path}.name", f"got {show(name)}, expected a name without braces")
        elif name in names:
            yield Problem(f"{path}.name", f"got {show(name)} for a second time, expected another name")
        if not reference:
            yield Problem(f"{path}.reference", "missing, expected the name of a parameter of the search space")
        elif reference in references:
            yield Problem(f"{path}.reference", f"got {show(reference)} for a second time, expected another one")
        elif known and meta_reference(reference) is None and reference not in known:
            hint = nearest_hint(reference, searched[:MAX_HINTS])
            yield Problem(f"{path}.reference", f"got {show(reference)}, expected a parameter of spec.parameters{hint}")
        names.add(name)
        references.add(reference)


def _is_name(name: str) -> bool:
    return bool(name) and "{" not in name and "}" not in name


def _placeholders(template: TrialTemplateSpec, document: Mapping[str, Any]) -> Iterator[Problem]:
    used = placeholders(document)
    names = [parameter.name or "" for parameter in template.trial_parameters or ()]
    for index, (name, parameter) in enumerate(zip(names, template.trial_parameters or (), strict=True)):
        path = f"{ROOT}.trialParameters[{index}]"
        if _is_name(name) and name not in used:
            yield Problem(f"{path}.name", f"got {show(name)}, expected ${{trialParameters.{name}}} in the template")
        key = meta_reference(parameter.reference or "")
        if key is not None:
            try:
                meta_value(key, document, name="trial", namespace="default")
            except SpecError as error:
                yield from error.within(f"{path}.reference").problems
    for name in sorted(used.difference(names)):
        hint = nearest_hint(name, names[:MAX_HINTS])
        placeholder = f"${{trialParameters.{name}}}"
        yield Problem(job_path(template), f"got {placeholder}, expected a name listed in trialParameters{hint}")


def _job(document: Mapping[str, Any], path: str, container: str) -> Iterator[Problem]:
    for name in ("apiVersion", "kind"):
        if not isinstance(document.get(name), str) or not document[name]:
            yield Problem(join_path(path, name), f"got {show(document.get(name))}, expected text")
    metadata = document.get("metadata")
    if metadata is not None and not isinstance(metadata, Mapping):
        yield Problem(join_path(path, "metadata"), f"got {show(metadata)}, expected a mapping")
    for name in ("name", "namespace"):
        if isinstance(metadata, Mapping) and metadata.get(name):
            found = show(metadata[name])
            yield Problem(join_path(path, f"metadata.{name}"), f"got {found}, expected none: each trial gets its own")
    if (document.get("apiVersion"), document.get("kind")) == ("batch/v1", "Job"):
        problems = list(_job_fields(document, path))
        yield from problems
        if not problems:
            yield from _container(document, path, container)


def _job_fields(document: Mapping[str, Any], path: str) -> Iterator[Problem]:
    try:
        _, unknown = read(Job, document)
    except SpecError as error:
        unknown = list(error.problems)
    yield from SpecError(unknown).within(path).problems


def _container(document: Mapping[str, Any], path: str, container: str) -> Iterator[Problem]:
    """The primary container must exist, where the kind of job says where its containers stand."""
    pod = pod_template(document, container) or {}
    names = [str(each.get("name")) for each in (pod.get("spec") or {}).get("containers") or ()]
    if container not in names and container and not any("${" in name for name in names):
        hint = nearest_hint(container, names)
        expected = f"a container of the template: {', '.join(names) or 'it has none'}{hint}"
        yield Problem(f"{ROOT}.primaryContainerName", f"got {show(container)}, expected {expected}")

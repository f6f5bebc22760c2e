"""Trial templates that live outside the Experiment: in a ConfigMap beside it, or in a folder that stands for one.

Looked for, in this order: among the ConfigMaps given and those in the same YAML file; a file ``<name>.yaml`` beside
the experiment file that holds the ConfigMap; a folder ``<name>/`` beside it that holds one file for each key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from katib.core.errors import Problem, SpecError, join_path
from katib.resources.documents import ConfigMapSource
from katib.resources.reading import read
from katib.resources.scalars import show
from katib.resources.trial_documents import ConfigMap
from katib.resources.yaml_loader import load_documents, read_text

_PATH = "spec.trialTemplate.configMap"
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?", re.ASCII)
_KEY = re.compile(r"[-._a-zA-Z0-9]+", re.ASCII)
_MAX_NAME = 253
# In a template a placeholder may stand where YAML takes no braces ([--lr=${trialParameters.lr}]); while it is parsed,
# two characters that mean nothing to YAML stand for them.
_OPEN, _CLOSE = "\ue000", "\ue001"
_PLACEHOLDER = re.compile(r"\$\{trialParameters\.([^{}\n]*)\}")
_PROTECTED = re.compile(f"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")


def load_template(
    source: ConfigMapSource, config_maps: Iterable[Mapping[str, Any]], folder: Path | None
) -> dict[str, Any]:
    """The job that ``source`` names, as a tree with its placeholders.

    config_maps: documents of the kind ConfigMap. folder: of the experiment file; None if there is none to look in.
    Raises SpecError if it is not found, is no valid YAML, or its path leads out of ``folder``.
    """
    name, key = source.config_map_name or "", source.template_path or ""
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        _fail("configMapName", f"got {show(name)}, expected the name of a ConfigMap: a-z, 0-9, '-' and '.'")
    if not _KEY.fullmatch(key) or key.startswith("..") or key == "." or len(key) > _MAX_NAME:
        _fail("templatePath", f"got {show(key)}, expected a key of the ConfigMap: letters, digits, '-', '_' and '.'")
    return parse_template(_find_text(source, config_maps, folder), f"{name}[{key}]")


def parse_template(text: str, place: str) -> dict[str, Any]:
    """The tree of a template's YAML text, which may have placeholders anywhere.

    place: what stands before the paths of its problems. Raises SpecError.
    """
    try:
        documents = load_documents(_PLACEHOLDER.sub(f"{_OPEN}\\1{_CLOSE}", text), place)
    except SpecError as error:
        raise SpecError([Problem(place, _restored(str(problem))) for problem in error.problems]) from None
    if len(documents) > 1:
        raise SpecError([Problem(place, f"got {len(documents)} documents, expected one job")])
    tree: dict[str, Any] = _restored_tree(documents[0].tree)
    return tree


def _find_text(source: ConfigMapSource, config_maps: Iterable[Mapping[str, Any]], folder: Path | None) -> str:
    name, key = source.config_map_name or "", source.template_path or ""
    for tree in (*config_maps, *(_config_maps_beside(name, folder) if folder else ())):
        if _is_meant(tree, source):
            data = _data(tree, name)
            if key not in data:
                _fail("templatePath", f"got {show(key)}, expected a key of {name}: {', '.join(data) or 'it has none'}")
            return data[key]
    if folder and _is_file_inside(folder, f"{name}/{key}"):
        return _read_text(folder / name / key)
    where = f", and neither {name}.yaml nor {name}/{key} beside it" if folder else ""
    _fail("", f"found no ConfigMap {name} of the namespace {source.config_map_namespace} in the file{where}")


def _config_maps_beside(name: str, folder: Path) -> list[Mapping[str, Any]]:
    path = folder / f"{name}.yaml"
    if not _is_file_inside(folder, path.name):
        return []
    try:
        documents = load_documents(_read_text(path), path.name)
    except SpecError as error:
        raise SpecError([Problem(_PATH, f"in {path.name}: {problem}") for problem in error.problems]) from None
    return [document.tree for document in documents if document.tree.get("kind") == "ConfigMap"]


def _is_meant(tree: Mapping[str, Any], source: ConfigMapSource) -> bool:
    """Whether the ConfigMap has the name; one without a namespace of its own stands for any."""
    metadata = tree.get("metadata")
    if not isinstance(metadata, Mapping) or metadata.get("name") != source.config_map_name:
        return False
    return metadata.get("namespace") in (None, "", source.config_map_namespace)


def _data(tree: Mapping[str, Any], name: str) -> dict[str, str]:
    try:
        config_map, unknown = read(ConfigMap, tree)
    except SpecError as error:
        unknown = list(error.problems)
    if unknown:
        raise SpecError(unknown).within(f"ConfigMap {name}")
    return config_map.data or {}


def _is_file_inside(folder: Path, name: str) -> bool:
    """Whether ``name`` is a file below ``folder``. Raises SpecError if a link leads elsewhere."""
    path = folder / name
    try:
        if not path.is_file():
            return False
        direct = path.resolve() == folder.resolve() / name
    except OSError as error:
        _fail("", f"cannot read {name}: {error.strerror}")
    if not direct:
        _fail("", f"got the link {name}, which leads out of its folder, expected a plain file")
    return True


def _read_text(path: Path) -> str:
    try:
        return read_text(path)
    except SpecError as error:
        raise SpecError([Problem(_PATH, f"{path.name}: {problem}") for problem in error.problems]) from None


def _restored_tree(node: Any) -> Any:
    if isinstance(node, str):
        return _restored(node)
    if isinstance(node, list):
        return [_restored_tree(item) for item in node]
    if isinstance(node, dict):
        return {_restored(key): _restored_tree(item) for key, item in node.items()}
    return node


def _restored(text: str) -> str:
    return _PROTECTED.sub(r"${trialParameters.\1}", text)


def _fail(field: str, message: str) -> NoReturn:
    raise SpecError([Problem(join_path(_PATH, field), message)])

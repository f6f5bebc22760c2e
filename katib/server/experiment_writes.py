"""Experiments as clients write them: created, edited within Katib's rules, and wished to be deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from algorithms import ALGORITHMS, STOPPERS
from katib.compose import Workshop
from katib.core.errors import (
    AlreadyExistsError,
    ConflictError,
    MissingExtraError,
    NotFoundError,
    Problem,
    SpecError,
)
from katib.core.experiment import Desired, Experiment
from katib.core.trial import Key
from katib.engine import lifecycle
from katib.engine.space_edits import with_space
from katib.resources.convert_search import Search
from katib.resources.defaults import fill_defaults
from katib.resources.documents import Experiment as ExperimentDocument
from katib.resources.edits import Counts, edited_budget, edited_counts
from katib.resources.load import Known, read_experiment
from katib.resources.projection import experiment_resource
from katib.resources.reading import read
from katib.resources.space_update import edited_space
from katib.resources.spec_projection import experiment_spec
from katib.server.katib_objects import Experiments, shown
from katib.server.mirror import Mirror, Snapshot
from katib.server.objects import Collection, Object, Tree, WriteOptions, Written
from katib.server.writing import modified

SHARED_NAMESPACE = "kubeflow"  # where Katib's default installation keeps its ConfigMaps

Change = Callable[[Experiment], Experiment]

_FIELDS = {"apiVersion", "kind", "metadata", "spec", "status"}


class WritableExperiments(Experiments):
    """The experiments, and what clients may do to them. A write is read by everybody when it returns."""

    def __init__(self, mirror: Mirror, workshop: Workshop, templates: Collection) -> None:
        """templates: the ConfigMaps, in which trial templates may be."""
        super().__init__(mirror)
        self._workshop = workshop
        self._templates = templates

    def create(self, namespace: str, tree: Tree, options: WriteOptions) -> Written:
        """Store a new experiment; whoever runs the store's experiments begins it."""
        loaded = read_experiment(
            {**tree, "metadata": {**tree["metadata"], "namespace": namespace}},
            known=Known(frozenset(ALGORITHMS), frozenset(STOPPERS)),
            config_maps=self._config_maps(namespace),
            strict=options.strict,
        )
        self._workshop.check(loaded.spec)
        warnings = () if options.quiet else tuple(map(str, loaded.warnings))
        if options.dry_run:
            if self.get(*loaded.spec.key) is not None:
                raise AlreadyExistsError(f'{self.kind.full_name} "{loaded.spec.key.name}" already exists')
            draft = Experiment(loaded.spec.key, "", loaded.spec, loaded.document, budget=loaded.spec.budget)
            return Written(Object(shown(draft), 0), warnings)
        created = lifecycle.create(self._workshop.store, loaded.spec, loaded.document)
        return Written(self._seen(created), warnings)

    def replace(self, namespace: str, name: str, tree: Tree, options: WriteOptions) -> Written:
        """Take over what of ``tree`` differs from the stored experiment: counts, search space, labels, annotations."""
        key = Key(namespace, name)
        snapshot = self._snapshot(key, options)
        change, warnings = _change(snapshot.experiment, tree, options)
        wanted = change(snapshot.experiment)
        if wanted == snapshot.experiment:
            return Written(self.of(snapshot), warnings)
        if _search_of(wanted) != _search_of(snapshot.experiment):
            with suppress(MissingExtraError):  # what it runs with may be installed elsewhere
                self._workshop.check(replace(wanted.spec, budget=wanted.budget))
        if options.dry_run:
            draft = shown(wanted, list(snapshot.trials.values()))
            return Written(Object(draft, snapshot.revision), warnings)
        return Written(self._seen(lifecycle.edit(self._workshop.store, key, change)), warnings)

    def delete(self, namespace: str, name: str, options: WriteOptions) -> Object:
        """Wish that it goes: its trials are ended, then it and all that belongs to it are removed."""
        snapshot = self._snapshot(Key(namespace, name), options)
        if options.dry_run:
            return self.of(snapshot)
        return self._seen(lifecycle.want(self._workshop.store, snapshot.key, Desired.DELETE))

    def _snapshot(self, key: Key, options: WriteOptions) -> Snapshot:
        """The experiment as it is now. Raises NotFoundError, ConflictError if it is not the one that was meant."""
        snapshot = self._mirror.snapshot(key)
        if snapshot is None:
            raise NotFoundError(f'{self.kind.full_name} "{key.name}" not found')
        if options.uid and options.uid != snapshot.experiment.uid:
            raise ConflictError(f"the experiment has the uid {snapshot.experiment.uid}, got {options.uid}")
        if options.revision and options.revision != str(snapshot.revision):
            raise modified(self.kind.full_name, key.name)
        return snapshot

    def _seen(self, experiment: Experiment) -> Object:
        """The object once the mirror has come to what was written. It may have gone on, or be gone, by then."""
        self._mirror.await_revision(experiment.revision)
        found = self.get(*experiment.key)
        return found or Object(shown(experiment), experiment.revision)

    def _config_maps(self, namespace: str) -> Sequence[Mapping[str, Any]]:
        """Those of the experiment's own namespace, and of the one where Katib keeps its own."""
        shared = {namespace, SHARED_NAMESPACE}
        return [each.tree for name in sorted(shared) for each in self._templates.list(name)]


def _change(seen: Experiment, tree: Tree, options: WriteOptions) -> tuple[Change, tuple[str, ...]]:
    """What makes of an experiment the one that ``tree`` asks for, by how that differs from the one that was ``seen``;
    and warnings. Raises SpecError on differences that cannot be made."""
    counts, search, unknown = _edits(seen, tree)
    if unknown and options.strict:
        raise SpecError(unknown)
    metadata = {
        **{field: _texts(tree, field) for field in ("labels", "annotations")},
        "managedFields": (tree.get("metadata") or {}).get("managedFields"),
    }

    def change(stored: Experiment) -> Experiment:
        if stored.desired is Desired.DELETE:
            raise ConflictError(f"experiment {stored.key.name!r} is being deleted")
        budget, changed = edited_budget(stored, counts) if counts else stored.budget, stored
        if search is not None:
            found, document = search
            spec = replace(stored.spec, space=found.space, initial=found.initial)
            changed = with_space(stored, spec, document, seen=seen.spec.space)
        return replace(_with_metadata(changed, metadata), budget=budget)

    return change, () if options.quiet else tuple(map(str, unknown))


def _edits(seen: Experiment, tree: Tree) -> tuple[Counts, tuple[Search, Tree] | None, list[Problem]]:
    """The counts and the search space that ``tree`` has otherwise, and its fields that nobody knows. Raises SpecError.
    Most writes change labels and annotations alone, or nothing: there is nothing to look into."""
    if tree.keys() <= _FIELDS and tree.get("spec") == experiment_spec(seen):
        return {}, None, []
    after, unknown = _normal(tree)
    before, _ = _normal(experiment_resource(seen))
    return edited_counts(before, after), edited_space(seen, after), unknown


def _normal(tree: Tree) -> tuple[Tree, list[Problem]]:
    """The parts that are compared, their defaults filled in, and the fields that nobody knows."""
    given = {field: value for field, value in tree.items() if field not in ("status", "metadata")}
    read_in, unknown = read(ExperimentDocument, {**given, "metadata": {"name": "compared"}})
    return fill_defaults(read_in).tree(), unknown


def _search_of(experiment: Experiment) -> tuple[object, ...]:
    """What can be edited and may not suit the algorithm."""
    return experiment.budget, experiment.spec.space, experiment.spec.initial


def _texts(tree: Tree, field: str) -> dict[str, str]:
    """Labels or annotations of a tree. Raises SpecError."""
    given = (tree.get("metadata") or {}).get(field) or {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise SpecError([Problem(f"metadata.{field}", f"got {given!r}, expected a mapping from names to texts")])
    return given


def _with_metadata(experiment: Experiment, given: Mapping[str, Any]) -> Experiment:
    """The experiment with other labels, annotations and managedFields; the same if it has these."""
    metadata = experiment.document.get("metadata") or {}
    labels = given["labels"]
    changed = any((metadata.get(name) or None) != (value or None) for name, value in given.items() if name != "labels")
    if dict(experiment.spec.labels) == labels and not changed:
        return experiment
    kept = {name: value for name, value in metadata.items() if name not in given}
    written = {name: value for name, value in given.items() if value}
    document = {**experiment.document, "metadata": {**kept, **written}}
    return replace(experiment, spec=replace(experiment.spec, labels=labels), document=document)

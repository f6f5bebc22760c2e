"""The core's values as JSON text, and back: what the records of the store hold.

Each dataclass is written as an object with its fields under their own names, so a record can be read by eye. A field
that has its default is left out, and one that a later version adds takes its default in older records; so a default is
part of the format, and changing one needs a migration. Types come back as they were (1, 1.0, True, "1" differ), NaN and
infinities too, which JSON proper lacks; the text is pure ASCII, whatever a trial printed. Trees inside a record
(documents, options) are JSON trees: mappings keyed by text, lists, text, numbers, booleans and None.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping
from dataclasses import MISSING, Field, fields
from enum import Enum
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

from katib.core.changes import Event
from katib.core.collector import CollectorSpec
from katib.core.constraints import Constraint
from katib.core.errors import SpecError
from katib.core.experiment import (
    Budget,
    Component,
    Desired,
    Experiment,
    ExperimentSpec,
    ExperimentStatus,
    Limits,
    ResumePolicy,
    Retry,
    RetryPolicy,
    TemplateParameter,
    TrialTemplate,
    Verdict,
)
from katib.core.objective import Direction, Measurement, MetricSummary, Objective, Strategy, Target
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Cursor, FailureClass, Key, Stop, Trial, TrialState
from katib.core.warm_start import FormerTrial, Source, WarmStart

T = TypeVar("T")

# default=dict: mappings that are no dict are written as one; anything else that JSON lacks raises TypeError.
_write = json.JSONEncoder(check_circular=False, separators=(",", ":"), default=dict).encode
_read = json.JSONDecoder().decode


class UnknownFieldsError(ValueError):
    """A record has fields that this version of the program does not know: a newer one wrote it."""


class Codec(NamedTuple):
    """How one part is turned into a JSON tree and back. None: the part and its tree are the same thing."""

    encode: Callable[[Any], Any] | None
    decode: Callable[[Any], Any] | None


class Record(Generic[T]):
    """The codec of one dataclass. ``defaults``: its fields and what they are when left out, which is then not written:
    most records are mostly defaults. ``parts``: codecs of the fields that are no JSON trees; a None stays None."""

    def __init__(self, kind: Callable[..., T], defaults: Mapping[str, Any], **parts: Codec) -> None:
        self._kind = kind
        self.names = tuple(defaults)
        self._defaults = tuple(defaults.values())
        self._values = attrgetter(*self.names)
        self._encoders = tuple((name, part.encode) for name, part in parts.items() if part.encode)
        self._decoders = tuple((name, part.decode) for name, part in parts.items() if part.decode)

    def encode(self, value: T) -> dict[str, Any]:
        """``value`` as a JSON tree."""
        fields = zip(self.names, self._values(value), self._defaults, strict=True)
        tree = {name: item for name, item, left in fields if item != left or type(item) is not type(left)}
        for name, encode in self._encoders:
            if tree.get(name) is not None:
                tree[name] = encode(tree[name])
        return tree

    def decode(self, tree: dict[str, Any]) -> T:
        """The value that ``tree``, which is used up, stands for. Raises UnknownFieldsError."""
        for name, decode in self._decoders:
            if tree.get(name) is not None:
                tree[name] = decode(tree[name])
        try:
            return self._kind(**tree)
        except TypeError:
            if unknown := sorted(tree.keys() - set(self.names)):
                raise UnknownFieldsError(", ".join(unknown)) from None
            raise

    def dumps(self, value: T) -> str:
        """``value`` as JSON text."""
        return _write(self.encode(value))

    def loads(self, text: str) -> T:
        """The value behind ``text``. Raises ValueError if it is none."""
        try:
            return self.decode(_read(text))
        except (AttributeError, KeyError, TypeError, SpecError) as error:
            raise ValueError(f"not a record: {error!r}") from error

    @property
    def codec(self) -> Codec:
        """This record as a part of another."""
        return Codec(self.encode, self.decode)


def _record(kind: type[T], only: Container[str] = (), /, **parts: Codec) -> Record[T]:
    """A dataclass with all of its fields but derived ones, or with ``only`` some."""
    kept = [f for f in fields(kind) if f.compare and (not only or f.name in only)]  # type: ignore[arg-type]
    return Record(kind, {f.name: _default(f) for f in kept}, **parts)


def _default(field: Field[Any]) -> Any:
    """What a field is when left out; something that equals nothing if it cannot be."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _enum(kind: type[Enum]) -> Codec:
    """A StrEnum is its own JSON text."""
    return Codec(None, {member.value: member for member in kind}.__getitem__)


def _tuple_of(part: Codec) -> Codec:
    encode, decode = part
    return Codec(
        encode and (lambda items: [encode(item) for item in items]),
        (lambda items: tuple(map(decode, items))) if decode else tuple,
    )


def _mapping_to(part: Codec) -> Codec:
    encode, decode = part
    return Codec(
        encode and (lambda mapping: {key: encode(item) for key, item in mapping.items()}),
        decode and (lambda mapping: {key: decode(item) for key, item in mapping.items()}),
    )


def _one_of(**records: Record[Any]) -> Codec:
    """A union of dataclasses, kept apart by a ``kind`` beside their fields."""
    by_type = {record._kind: (name, record) for name, record in records.items()}

    def encode(value: object) -> dict[str, Any]:
        name, record = by_type[type(value)]
        return {"kind": name, **record.encode(value)}

    def decode(tree: dict[str, Any]) -> Any:
        return records[tree.pop("kind")].decode(tree)

    return Codec(encode, decode)


def _counts(kind: type[Enum]) -> Codec:
    """A mapping from the members of a StrEnum to numbers."""
    return Codec(None, lambda counts: {kind(member): count for member, count in counts.items()})


_TUPLE = _tuple_of(Codec(None, None))
_KEY = Codec(None, lambda pair: Key(*pair))
_CONDITION = _record(Condition, values=_TUPLE).codec
_NUMERIC = {"distribution": _enum(Distribution), "condition": _CONDITION}
_LISTED = {"values": _TUPLE, "texts": _TUPLE, "condition": _CONDITION}
_PARAMETER = _one_of(
    Real=_record(Real, **_NUMERIC),
    Integer=_record(Integer, **_NUMERIC),
    Ordinal=_record(Ordinal, **_LISTED),
    Choice=_record(Choice, **_LISTED),
)
_COMPONENT = _record(Component).codec
_BUDGET = _record(Budget).codec
_CONSTRAINTS = _tuple_of(Codec(attrgetter("text"), Constraint))
_FAILURES = _counts(FailureClass)

_SPEC = _record(
    ExperimentSpec,
    key=_KEY,
    space=_record(SearchSpace, parameters=_tuple_of(_PARAMETER), constraints=_CONSTRAINTS).codec,
    objective=_record(
        Objective,
        direction=_enum(Direction),
        additional=_TUPLE,
        strategies=_mapping_to(_enum(Strategy)),
        others=_tuple_of(_record(Target, direction=_enum(Direction)).codec),
        constraints=_CONSTRAINTS,
    ).codec,
    algorithm=_COMPONENT,
    budget=_BUDGET,
    stopper=_COMPONENT,
    collector=_record(CollectorSpec, filters=_TUPLE).codec,
    template=_record(TrialTemplate, parameters=_tuple_of(_record(TemplateParameter).codec)).codec,
    resume_policy=_enum(ResumePolicy),
    initial=_TUPLE,
    limits=_record(Limits).codec,
    retry=_record(RetryPolicy, limits=_FAILURES).codec,
    warm_start=_record(WarmStart, experiments=_tuple_of(_KEY)).codec,
    sources=_tuple_of(_record(Source, key=_KEY, trials=_tuple_of(_record(FormerTrial, losses=_TUPLE).codec)).codec),
)

#: What any process may write of an experiment; status and counters are kept elsewhere and come back as defaults.
DEFINITION = _record(
    Experiment,
    ("key", "uid", "spec", "document", "desired", "budget", "retries", "created"),
    key=_KEY,
    spec=_SPEC.codec,
    desired=_enum(Desired),
    budget=_BUDGET,
    retries=_tuple_of(Codec(None, lambda parts: Retry(*parts))),
)
STATUS = _record(ExperimentStatus, counts=_counts(TrialState), verdict=_enum(Verdict))
TRIAL = _record(
    Trial,
    state=_enum(TrialState),
    observation=_mapping_to(_record(MetricSummary).codec),
    cursors=_mapping_to(_record(Cursor).codec),
    stop=_record(Stop, state=_enum(TrialState), failure=_enum(FailureClass)).codec,
    failures=_FAILURES,
    seen=_TUPLE,
    failure=_enum(FailureClass),
)
MEASUREMENT = _record(Measurement)
EVENT = _record(Event)

"""TEXT: metrics in ordinary lines of output, found by Katib's default rule or by the user's regular expressions.

The default rule is ``name=value``, any number of times in a line, with spaces around the equals sign if one likes:

* The name stands alone: ``my_loss=1``, ``loss2=1``, ``|loss=1`` and ``--loss=1`` say nothing about ``loss``, while
  ``train/loss=1`` and ``val.loss=1`` do, because Katib's names consist of letters, digits, ``_``, ``-`` and ``|``.
* The value is a number. A unit behind it is dropped, as Katib drops it (95%, 12ms, 3/10), and so are quotes and the
  constructors that array libraries print around a scalar (``tensor(0.5)``, ``np.float64(0.5)``).
* ``Genotype(...)``, an architecture as Katib's trial images print it, is a text up to the end of the line.
* ``nan``, ``inf`` and nothing at all are reports without a value, so that a trial's end can say what was reported.
* Anything else is no report: 1,234 and 1_000 and 0x1F and 1e- are not the numbers 1, 1, 0 and 1.
* ``loss: 0.5`` is no report either, as in Katib; such lines need a filter of the user's.

The user's filters (``katib.core.filters``) take the default rule's place. Group 1 is the name, group 2 the value,
which may be any text; it counts as a number only if all of it is one. Where one of them gives a metric a value, that
another finds none is no report: a filter for numbers finds none in ``Best-Genotype=Genotype(...)``.

A line's time is its first word, if that is an RFC 3339 time, else the time at which the line was read: so the latest
value of a metric is the one that was printed last. A ``step=3`` or ``epoch=3`` in the same line is the report's step,
unless it is a metric itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from katib.core.errors import SpecError
from katib.core.filters import Filter, compile_filters
from katib.core.objective import Measurement
from katib.core.ports import Chunk, Collected, Collector
from katib.metrics.lines import frame
from katib.metrics.values import NUMBER, STEP, STEP_KEYS, measure, parse_step, parse_time

Find = Callable[[str], Iterable[tuple[str, str]]]
"""From a line to its (name, value) pairs."""

_ALONE = r"(?<![\w|-])"
_EQUALS = r"\s*+=(?!=)"
_SCALAR = r"(?:(?:(?:np|numpy)\.\w++|tensor|tf\.Tensor|Array)\()?+[\"']?+"

# What shows that the digits before it are only a part of something that is no decimal number.
_GOES_ON = r"(?:[._,'’\u00a0\u202f]?[0-9]|[xX][0-9a-fA-F]|[eEdD][+-]?[0-9]|[eE][+-])"
_NO_NUMBER = r"[+-]?(?:nan|inf(?:inity)?)(?!\w)"
_NOTHING = r"\s*+(?=$|[,;)\]}|])|\s++(?=[\w|-]++\s*+=)"
_TEXT = r"\s*+(?P<text>Genotype\(.*+)"
_VALUE = rf"{_TEXT}|\s*+{_SCALAR}(?:(?P<number>(?>{NUMBER}))(?!{_GOES_ON})|(?P<other>(?i:{_NO_NUMBER})))|{_NOTHING}"


def text_collector(metrics: Sequence[str], filters: Sequence[str] = ()) -> Collector:
    """A collector of ``metrics`` from lines of text. Raises SpecError if a filter cannot be used."""
    wanted = frozenset(metrics)
    find = _by_filters(_compiled(filters), wanted) if filters else _by_default(metrics)
    steps = [re.compile(rf"{_ALONE}{key}{_EQUALS}\s*+({STEP})(?!\w|\.[0-9])") for key in STEP_KEYS if key not in wanted]

    def collect(chunk: Chunk) -> Collected:
        lines, end = frame(chunk)
        found: list[Measurement] = []
        for line in lines:
            if any(metric in line for metric in metrics) and (pairs := list(find(line))):
                time, step = _line_time(line, chunk.time), _line_step(line, steps)
                found.extend(measure(name, value, time, step) for name, value in pairs)
        return Collected(tuple(found), end)

    return collect


def _by_default(metrics: Sequence[str]) -> Find:
    longest_first = "|".join(re.escape(metric) for metric in sorted(metrics, key=len, reverse=True))
    pattern = re.compile(rf"{_ALONE}(?P<name>{longest_first}){_EQUALS}(?:{_VALUE})")

    def find(line: str) -> Iterator[tuple[str, str]]:
        for match in pattern.finditer(line):
            yield match["name"], (match["text"] or (match["number"] or match["other"] or "").rstrip(".")).rstrip()

    return find


def _compiled(filters: Sequence[str]) -> tuple[Filter, ...]:
    try:
        return compile_filters(filters)
    except SpecError as error:
        raise error.within("spec.metricsCollectorSpec.source.filter.metricsFormat") from None


def _by_filters(filters: Sequence[Filter], wanted: frozenset[str]) -> Find:
    def find(line: str) -> list[tuple[str, str]]:
        found = [(name, value) for rule in filters for name, value in rule.find(line) if name in wanted]
        known = {name for name, value in found if value}
        return [(name, value) for name, value in found if value or name not in known]

    return find


def _line_time(line: str, arrival: float) -> float:
    words = line.split(maxsplit=1)
    stamp = parse_time(words[0]) if words else None
    return arrival if stamp is None else stamp


def _line_step(line: str, patterns: Sequence[re.Pattern[str]]) -> int | None:
    for pattern in patterns:
        if match := pattern.search(line):
            return parse_step(match[1])
    return None

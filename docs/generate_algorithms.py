"""Writes docs/algorithms.md from the code: ``python docs/generate_algorithms.py``. A test fails if it is stale."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path

from algorithms import ALGORITHMS, STOPPERS, choices_of, features_of, settings_of
from algorithms.features import Feature
from algorithms.settings import SettingInfo
from katib.core.naming import load

PAGE = Path(__file__).parent / "algorithms.md"
HEAD = """# Algorithms

Made from the code by `python docs/generate_algorithms.py`; `katib algorithms NAME` prints the same tables.

Names and settings are Katib's (`spec.algorithm` and `spec.earlyStopping`). Every algorithm is a pure function of the
trial history and the seed, so it proposes the same trials in this process, over gRPC and after a restart. The seed is
the setting `random_state` where given, else `katib run --seed`, else one drawn at creation and kept from then on.

What Katib does differently, and why this project does not follow, is in [compatibility](compatibility.md); which tests
show what of each, in [algorithm tests](algorithm-tests.md); faults of other systems that are looked for here, in
[pitfalls](pitfalls.md).
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_section("Search", ALGORITHMS), *_section("Early stopping", STOPPERS)]).rstrip() + "\n"


def _section(title: str, table: Mapping[str, str]) -> Iterator[str]:
    yield f"## {title}\n"
    for name, target in table.items():
        yield f"### `{name}`\n"
        module = inspect.getmodule(load("algorithm", name, table))
        yield inspect.cleandoc((module and module.__doc__) or "") + "\n"
        if choices := choices_of(name):
            yield "| rule | when | algorithm |\n|---|---|---|"
            yield "\n".join(f"| `{each.rule}` | {each.when} | `{each.algorithm}` |" for each in choices) + "\n"
        if name in ALGORITHMS:
            features = ", ".join(f.value for f in Feature if f in features_of(name))
            yield f"Can use: {features or 'a plain space only'} ([fields](fields.md)).\n"
        yield f"Source: `{target.split(':')[0].replace('.', '/')}.py`\n"
        if settings := settings_of(name):
            yield "| setting | type | default | allowed | meaning |\n|---|---|---|---|---|"
            yield "\n".join(map(_row, settings)) + "\n"


def _row(info: SettingInfo) -> str:
    default = "required" if info.required else "" if info.default is None else f"`{info.default}`"
    return f"| `{info.name}` | {info.type.__name__} | {default} | {info.expected} | {info.help} |"


if __name__ == "__main__":
    PAGE.write_text(page())

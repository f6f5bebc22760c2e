"""YAML (and JSON) text into plain trees, within bounds, with the line of every field.

A document comes from a stranger, so the tree is built straight from the parser's events: size, depth and number of
nodes are known before anything is built, aliases count as what they stand for, and nothing but text, numbers,
booleans, lists and mappings can come out. Scalars are read as ``scalars`` says. The first fault ends the reading: one
SpecError with the path, the line, the value and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from katib.core.errors import Problem, SpecError, join_path
from katib.resources.scalars import parse_scalar, show

MAX_BYTES = 1024 * 1024  # also of all text once aliases are expanded
MAX_DEPTH = 50
MAX_NODES = 10_000
MAX_PATH = 4096  # characters; each path is kept with its line

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAP_TAG, _SEQUENCE_TAG = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_MERGE_TAG = "tag:yaml.org,2002:merge"
_FORBIDDEN = re.compile("[\0\ud800-\udfff]")  # what neither databases nor UTF-8 can hold
_TAG_DIRECTIVE = re.compile(r"^%TAG", re.MULTILINE)
_SURROGATE_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file. lines: 1-based line of each path (``spec.parameters[2].name``). source: file name."""

    tree: dict[str, Any]
    lines: Mapping[str, int] = field(default_factory=dict)
    source: str = ""

    def line_of(self, path: str) -> int | None:
        """Line of ``path``, or of the nearest thing around it that stands in the file; None if nothing of it does."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines[path] if path else None

    def located(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems with their lines filled in."""
        return [Problem(p.path, p.message, self.line_of(p.path) if p.line is None else p.line) for p in problems]


def load_documents(text: str | bytes, source: str) -> list[Document]:
    """The documents of a file, empty ones left out; at least one, each a mapping.

    Raises SpecError on anything that is no YAML, too big, nested too deeply (50), of too many nodes (10,000 with
    aliases expanded), cyclic, of duplicate keys, of unknown tags, or that JSON could not hold.
    """
    documents = list(_Reader(_prepared(_decoded(text, source), source), source).documents())
    if not documents:
        raise SpecError([Problem("", "the file is empty, expected a YAML document")], source=source)
    return documents


def read_text(path: Path) -> str:
    """The text of a file of at most 1 MiB. Raises SpecError if it cannot be read, is larger or is not UTF-8."""
    try:
        with path.open("rb") as file:
            return _decoded(file.read(MAX_BYTES + 1), str(path))
    except OSError as error:
        raise SpecError([Problem("", f"cannot be read: {error.strerror}")], source=str(path)) from None


def _decoded(text: str | bytes, source: str) -> str:
    try:
        raw = text if isinstance(text, bytes) else text.encode()
        if len(raw) > MAX_BYTES:
            raise SpecError([Problem("", "got more than 1 MiB, expected less")], source=source)
        return raw.decode("utf-8-sig")
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        line = text.count(b"\n", 0, error.start) + 1 if isinstance(text, bytes) else None
        raise SpecError([Problem("", "the text is not UTF-8", line)], source=source) from None


def _prepared(text: str, source: str) -> str:
    """``text`` as the parser can take it. Raises SpecError if it has directives that redefine tags."""
    directive = _TAG_DIRECTIVE.search(text)  # thousands of them would keep the parser busy for minutes
    if directive:
        line = text.count("\n", 0, directive.start()) + 1
        raise SpecError([Problem("", "got a %TAG directive, expected plain data", line)], source=source)
    return _SURROGATE_PAIR.sub(_joined_pair, text) if text.lstrip().startswith(("{", "[")) else text


def _joined_pair(match: re.Match[str]) -> str:
    """JSON writes characters beyond U+FFFF as two escapes, which YAML does not know."""
    high, low = int(match[2], 16), int(match[3], 16)
    return match[1] + chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


@dataclass(slots=True)
class _Size:
    """What a subtree costs once its aliases are expanded. height: levels of nesting, 0 for a scalar."""

    nodes: int = 1
    characters: int = 0
    height: int = 0


@dataclass(slots=True)
class _Anchor:
    """An anchored node; tree and size are there once it is complete."""

    size: _Size = field(default_factory=_Size)
    tree: Any = None
    complete: bool = False


class _Reader:
    """Builds trees from parser events. Recursion is bounded by MAX_DEPTH."""

    def __init__(self, text: str, source: str) -> None:
        self._text, self._source = text, source
        self._parser = _Parser(text)
        self._total = _Size(nodes=0)
        self._anchors: dict[str, _Anchor] = {}
        self._lines: dict[str, int] = {}
        self._path = ""

    def documents(self) -> Iterator[Document]:
        """The documents in order. Raises SpecError."""
        try:
            while not self._parser.check_event(yaml.StreamEndEvent):
                event = self._parser.get_event()
                if isinstance(event, yaml.DocumentStartEvent):
                    self._anchors, self._lines, self._path = {}, {}, ""
                    start = self._parser.peek_event()
                    tree, _ = self._node("", 0)
                    if isinstance(tree, dict):
                        yield Document(tree, self._lines, self._source)
                    elif tree is not None:
                        self._fail("", start, f"got {show(tree)}, expected a mapping with apiVersion and kind")
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from None

    def _node(self, path: str, depth: int) -> tuple[Any, _Size]:
        event = self._parser.get_event()
        self._path = path
        if len(path) > MAX_PATH:
            self._fail(path[:80] + "...", event, f"the keys above it have more than {MAX_PATH} characters together")
        self._lines.setdefault(path, event.start_mark.line + 1)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(path, event, depth)
        anchor = _Anchor()
        if event.anchor is not None:
            self._anchors[event.anchor] = anchor
        if isinstance(event, yaml.ScalarEvent):
            anchor.tree = self._scalar(path, event)
            anchor.size = _Size(1, len(event.value), 0)
            self._spend(path, event, anchor.size)
        else:
            if depth >= MAX_DEPTH:
                self._fail(path, event, f"nested more than {MAX_DEPTH} levels deep")
            self._spend(path, event, _Size())
            sequence = isinstance(event, yaml.SequenceStartEvent)
            if event.tag not in (None, "!", _SEQUENCE_TAG if sequence else _MAP_TAG):
                self._fail(path, event, f"got the tag {show(event.tag)}, expected plain data")
            build = self._sequence if sequence else self._mapping
            anchor.tree, anchor.size = build(path, depth)
        anchor.complete = True
        return anchor.tree, anchor.size

    def _alias(self, path: str, event: Any, depth: int) -> tuple[Any, _Size]:
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            self._fail(path, event, f"the alias *{event.anchor} names no anchor before it")
        if not anchor.complete:
            self._fail(path, event, f"the alias *{event.anchor} stands inside what it names, which would have no end")
        if depth + anchor.size.height > MAX_DEPTH:
            self._fail(path, event, f"nested more than {MAX_DEPTH} levels deep once aliases are expanded")
        self._spend(path, event, anchor.size)
        return _copy(anchor.tree), anchor.size

    def _sequence(self, path: str, depth: int) -> tuple[list[Any], _Size]:
        size = _Size()
        items: list[Any] = []
        while not self._parser.check_event(yaml.SequenceEndEvent):
            item, cost = self._node(f"{path}[{len(items)}]", depth + 1)
            items.append(item)
            _add(size, cost)
        self._parser.get_event()
        return items, size

    def _mapping(self, path: str, depth: int) -> tuple[dict[str, Any], _Size]:
        size = _Size()
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        merges = False
        while not self._parser.check_event(yaml.MappingEndEvent):
            start = self._parser.get_event()
            key, merge = self._key(path, start)
            if key in own or (merge and merges):
                self._fail(join_path(path, key), start, f"the key {show(key)} stands twice in the same mapping")
            inner = join_path(path, key)
            if not merge:
                self._lines[inner] = start.start_mark.line + 1
            value, cost = self._node(inner, depth + 1)
            _add(size, cost)
            if merge:
                merges, merged = True, self._merge(inner, start, value)
            else:
                own[key] = value
        self._parser.get_event()
        return ({**merged, **own} if merges else own), size

    def _key(self, path: str, event: Any) -> tuple[str, bool]:
        """The key as written (so that ``on`` and ``1`` stay what they are), and whether it is a merge key."""
        if isinstance(event, yaml.AliasEvent):
            anchor = self._anchors.get(event.anchor or "")
            if anchor is None or not isinstance(anchor.tree, str):
                self._fail(path, event, f"got the alias *{event.anchor} as a key, expected text")
            self._spend(path, event, anchor.size)
            return anchor.tree, False
        if not isinstance(event, yaml.ScalarEvent):
            self._fail(path, event, "got a list or mapping as a key, expected text")
        size = _Size(1, len(event.value), 0)
        self._spend(path, event, size)
        self._check_characters(path, event)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(size, event.value, complete=True)
        return event.value, event.tag == _MERGE_TAG or (event.value == "<<" and event.implicit[0])

    def _merge(self, path: str, event: Any, value: Any) -> dict[str, Any]:
        """The fields that ``<<`` brings in; of several mappings the first to have a field wins."""
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(each, dict) for each in sources):
            self._fail(path, event, f"got {show(value)}, expected a mapping or a list of mappings to merge")
        merged: dict[str, Any] = {}
        for each in sources:
            merged = {**each, **merged}
        return merged

    def _scalar(self, path: str, event: Any) -> Any:
        self._check_characters(path, event)
        try:
            return parse_scalar(event.value, event.tag, plain=event.implicit[0])
        except ValueError as error:
            self._fail(path, event, str(error))

    def _check_characters(self, path: str, event: Any) -> None:
        if _FORBIDDEN.search(event.value):
            self._fail(path, event, f"got {show(event.value)}, expected text without NUL or lone surrogates")

    def _spend(self, path: str, event: Any, size: _Size) -> None:
        self._total.nodes += size.nodes
        self._total.characters += size.characters
        if self._total.nodes > MAX_NODES:
            self._fail(path, event, f"more than {MAX_NODES:,} values, counted with aliases expanded")
        if self._total.characters > MAX_BYTES:
            self._fail(path, event, "more than 1 MiB of text, counted with aliases expanded")

    def _fail(self, path: str, event: Any, message: str) -> NoReturn:
        raise SpecError([Problem(path, message, event.start_mark.line + 1)], source=self._source)

    def _syntax_error(self, error: yaml.YAMLError) -> SpecError:
        """What the parser says, with the line that it stumbled over."""
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        position = getattr(error, "position", None)
        said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
        number = mark.line if mark is not None else self._text.encode()[:position].count(b"\n") if position else 0
        lines = self._text.split("\n")
        near = lines[number] if number < len(lines) else ""
        if "\t" in near[: len(near) - len(near.lstrip())]:
            said = f"{said} (YAML is indented by spaces, not by tabs)"
        if "nesting depth" in said:  # newer parsers have a limit of their own, which may strike first
            said = f"nested more than {MAX_DEPTH} levels deep"
        message = f"not valid YAML: {said}, at {show(near.strip())}"
        return SpecError([Problem(self._path, message, number + 1)], source=self._source)


def _add(size: _Size, part: _Size) -> None:
    size.nodes += part.nodes
    size.characters += part.characters
    size.height = max(size.height, part.height + 1)


def _copy(tree: Any) -> Any:
    """A tree of its own for each alias, so that no two places of a document are one object."""
    if isinstance(tree, dict):
        return {key: _copy(value) for key, value in tree.items()}
    return [_copy(item) for item in tree] if isinstance(tree, list) else tree

"""YAML within bounds: what is read, what is refused, and that refusing is quick and says where."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from katib.core.errors import SpecError
from katib.resources import yaml_loader
from katib.resources.yaml_loader import MAX_BYTES, MAX_DEPTH, MAX_NODES, load_documents, read_text


def only_tree(text: str | bytes):
    (document,) = load_documents(text, "file.yaml")
    return document.tree


def only_problem(text: str | bytes):
    started = time.monotonic()
    with pytest.raises(SpecError) as caught:
        load_documents(text, "file.yaml")
    assert time.monotonic() - started < 5
    assert caught.value.source == "file.yaml"
    (problem,) = caught.value.problems
    assert len(str(problem)) < 1000
    return problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("1", 1, id="integer"),
        pytest.param("-12", -12, id="negative"),
        pytest.param("1_000", 1000, id="underscores"),
        pytest.param("010", 8, id="octal"),
        pytest.param("0o10", 8, id="octal-with-letter"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("0b101", 5, id="binary"),
        pytest.param("089", 89.0, id="no-octal"),
        pytest.param("1e-5", 1e-5, id="exponent-without-point"),
        pytest.param(".5", 0.5, id="point-first"),
        pytest.param("3.", 3.0, id="point-last"),
        pytest.param("1e3", 1000.0, id="exponent-is-float"),
        pytest.param("18446744073709551615", 2**64 - 1, id="largest-integer"),
        pytest.param("18446744073709551616", 2.0**64, id="integer-beyond-64-bits-is-float"),
        pytest.param("9" * 300, float("9" * 300), id="huge-integer-is-float"),
        pytest.param("yes", True, id="yes"),
        pytest.param("Off", False, id="off"),
        pytest.param("y", "y", id="y-is-text"),
        pytest.param("~", None, id="null"),
        pytest.param("", None, id="nothing"),
        pytest.param("1:30", "1:30", id="no-sexagesimal"),
        pytest.param("2024-01-01", "2024-01-01", id="date-is-text"),
        pytest.param("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z", id="time-is-text"),
        pytest.param("'1'", "1", id="quoted-number"),
        pytest.param("'null'", "null", id="quoted-null"),
        pytest.param("!!str 1", "1", id="tag-str"),
        pytest.param("! 1", "1", id="tag-none"),
        pytest.param("!!int '5'", 5, id="tag-int"),
        pytest.param("!!float 5", 5.0, id="tag-float"),
        pytest.param("!!bool 'true'", True, id="tag-bool"),
        pytest.param("!!null ''", None, id="tag-null"),
        pytest.param("!!timestamp 2024-01-01", "2024-01-01", id="tag-timestamp-stays-text"),
        pytest.param("!!map {a: 1}", {"a": 1}, id="tag-map"),
        pytest.param("!!seq [1]", [1], id="tag-seq"),
        pytest.param("--lr=${trialParameters.lr}", "--lr=${trialParameters.lr}", id="placeholder"),
    ],
)
def test_values_are_read_as_kubernetes_reads_them(text: str, value: object) -> None:
    read = only_tree(f"a: {text}")["a"]
    assert read == value
    assert type(read) is type(value)


def test_keys_stay_as_written() -> None:
    assert only_tree("on: 1\n1: 2\nnull: 3\n~: 4\n1e3: 5") == {"on": 1, "1": 2, "null": 3, "~": 4, "1e3": 5}


def test_lines_of_fields_and_of_what_is_missing() -> None:
    text = "# first\nkind: X\nspec:\n  list:\n    - a\n    - b: 1\n      c:\n        2\n  flow: {x: 1,\n    y: 2}\n"
    (document,) = load_documents(text, "file.yaml")
    lines = {path: document.line_of(path) for path in ("kind", "spec.list[1].c", "spec.flow.y", "spec.list[0]")}
    assert lines == {"kind": 2, "spec.list[1].c": 7, "spec.flow.y": 10, "spec.list[0]": 5}
    assert document.line_of("spec.list[1].missing.deeper") == 6
    assert document.line_of("nowhere.at.all") is None


def test_aliases_and_merges_become_trees_of_their_own() -> None:
    tree = only_tree("a: &a {x: 1, y: [2]}\nb: *a\nc: {<<: *a, x: 5}\nd: {<<: [{x: 7}, *a]}\n")
    assert tree["b"] == tree["a"]
    assert tree["c"] == {"x": 5, "y": [2]}
    assert tree["d"] == {"x": 7, "y": [2]}
    tree["b"]["y"].append(3)
    assert tree["a"]["y"] == [2]
    assert tree["c"]["y"] == [2]


def test_a_quoted_merge_sign_is_a_key() -> None:
    assert only_tree("'<<': {a: 1}") == {"<<": {"a": 1}}


def test_several_documents_keep_their_lines_and_empty_ones_vanish() -> None:
    first, second = load_documents("---\na: 1\n---\n---\n# nothing\n---\nb:\n  c: 2\n", "file.yaml")
    assert (first.tree, second.tree) == ({"a": 1}, {"b": {"c": 2}})
    assert second.line_of("b.c") == 8


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"a": [1, 2.5, True, None, "x"], "b": {"c": {}}}, id="nested"),
        pytest.param({"a": "\U0001f600 \\ud83d / ü \t \n"}, id="text"),
        pytest.param({"a": "\\\U0001f600"}, id="backslash-before-a-pair"),
        pytest.param({"a": 1e-05, "b": 1e22, "c": -0.0}, id="numbers"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_is_yaml(value: object, indent: int | str | None) -> None:
    assert only_tree(json.dumps(value, indent=indent)) == value
    assert only_tree(json.dumps(value, indent=indent, ensure_ascii=False)) == value


def bomb(levels: int, width: int) -> str:
    lines = ["l0: &l0 [x]"]
    for level in range(1, levels):
        lines.append(f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * width)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "path", "line", "expected"),
    [
        pytest.param("", "", None, "empty", id="empty"),
        pytest.param("# only this\n---\n...\n", "", None, "empty", id="only-comments"),
        pytest.param(b"a: 1\nb: \xff\n", "", 2, "not UTF-8", id="not-utf-8"),
        pytest.param("a: \ud800", "", None, "not UTF-8", id="lone-surrogate-in-text"),
        pytest.param("a: 1".encode("utf-16"), "", 1, "not UTF-8", id="utf-16"),
        pytest.param("- a\n- b\n", "", 1, "expected a mapping", id="list-on-top"),
        pytest.param("just words", "", 1, "got 'just words', expected a mapping", id="text-on-top"),
        pytest.param("a: 1\n---\n5", "", 3, "got 5, expected a mapping", id="second-document-no-mapping"),
        pytest.param("a:\n  b: 1\n  b: 2\n", "a.b", 3, "'b' stands twice", id="duplicate-key"),
        pytest.param("a: {on: 1, 'on': 2}", "a.on", 1, "stands twice", id="duplicate-key-by-quotes"),
        pytest.param("a: {<<: {x: 1}, <<: {y: 1}}", "a.<<", 1, "stands twice", id="duplicate-merge"),
        pytest.param("a:\n  - [1, {b: 2\n", "a[0][1].b", 3, "not valid YAML", id="unclosed"),
        pytest.param("a: 1\n\tb: 2\n", None, 2, "not by tabs", id="tab"),
        pytest.param("a: b: c", "a", 1, "not valid YAML", id="two-colons"),
        pytest.param("a: \x01", "", 1, "not valid YAML", id="control-character"),
        pytest.param('a: "\\0"', "a", 1, "NUL", id="escaped-nul"),
        pytest.param('a: "\\ud800"', None, 1, "not valid YAML", id="escaped-surrogate"),
        pytest.param("a: *b", "a", 1, "names no anchor", id="unknown-alias"),
        pytest.param("a: &a\n  b: [1, *a]\n", "a.b[1]", 2, "no end", id="cycle"),
        pytest.param("a: &a {<<: *a}", "a.<<", 1, "no end", id="merge-loop"),
        pytest.param("a: {<<: [1]}", "a.<<", 1, "mapping", id="merge-of-number"),
        pytest.param("a: {<<: text}", "a.<<", 1, "mapping", id="merge-of-text"),
        pytest.param("a:\n  [x]: 1\n", "a", 2, "as a key", id="list-as-key"),
        pytest.param("b: &b {}\n? *b\n: 1\n", "", 2, "as a key", id="mapping-alias-as-key"),
        pytest.param("a: !!python/object/apply:os.system [ls]", "a", 1, "the tag", id="python-object"),
        pytest.param("a: !!python/name:os.system ''", "a", 1, "the tag", id="python-name"),
        pytest.param("a: !!binary aGk=", "a", 1, "the tag", id="binary"),
        pytest.param("a: !!set {x, y}", "a", 1, "the tag", id="set"),
        pytest.param("a: !mine 1", "a", 1, "the tag '!mine'", id="own-tag"),
        pytest.param("a: !!int x", "a", 1, "!!int", id="tag-int-on-text"),
        pytest.param("a: !!float .inf", "a", 1, "finite", id="tag-float-infinite"),
        pytest.param("%TAG ! tag:x,2000:\n---\na: 1", "", 1, "%TAG", id="tag-directive"),
        pytest.param("%TAG !a! x\n" * 60_000 + "--- {a: 1}", "", 1, "%TAG", id="many-tag-directives"),
        pytest.param("a: .inf", "a", 1, "finite", id="infinite"),
        pytest.param("a: [.nan]", "a[0]", 1, "finite", id="nan"),
        pytest.param("a: 1e999", "a", 1, "64 bits", id="float-overflow"),
        pytest.param("a: " + "9" * 100_000, "a", 1, "64 bits", id="integer-of-100000-digits"),
        pytest.param("a: " + "[" * 10_000, None, 1, "50 levels", id="deep-lists"),
        pytest.param("{a: " * 10_000, None, 1, "50 levels", id="deep-mappings"),
        pytest.param("\n".join(" " * i + "- " for i in range(1000)), None, 51, "50 levels", id="deep-blocks"),
        pytest.param("- " * 500_000, None, 1, "50 levels", id="deep-dashes"),
        pytest.param("? " * 500_000, "", 1, "as a key", id="deep-keys"),
        pytest.param("a: " + "x" * MAX_BYTES, "", None, "1 MiB", id="too-large"),
        pytest.param("a: [" + "1," * 20_000 + "]", None, 1, "10,000 values", id="too-many"),
        pytest.param("".join(f"k{i}: 1\n" for i in range(6_000)), None, None, "10,000 values", id="too-many-keys"),
        pytest.param("---\na: 1\n" * 6_000, None, None, "10,000 values", id="too-many-documents"),
        pytest.param(bomb(10, 10), None, 5, "10,000 values", id="billion-laughs"),
        pytest.param(bomb(48, 1) + "\nz: [[[[*l47]]]]", None, 49, "once aliases are expanded", id="deep-by-aliases"),
        pytest.param(f"a: &a {'x' * 500_000}\nb: [{'*a, ' * 9_000}]", None, 2, "1 MiB of text", id="fat-alias"),
        pytest.param(f"? {'k' * 5_000}\n: 1", None, 2, "4096 characters", id="long-key"),
    ],
)
def test_bad_text_is_one_problem(text: str | bytes, path: str | None, line: int | None, expected: str) -> None:
    problem = only_problem(text)
    assert expected in problem.message
    assert path is None or problem.path == path
    assert line is None or problem.line == line


def test_limits_are_reached_but_not_passed() -> None:
    assert len(only_tree("a: [" + "1," * (MAX_NODES - 3) + "]")["a"]) == MAX_NODES - 3
    tree = only_tree("{a: " * MAX_DEPTH + "1" + "}" * MAX_DEPTH)
    for _ in range(MAX_DEPTH):
        tree = tree["a"]
    assert tree == 1
    assert len(only_tree("a: " + "x" * (MAX_BYTES - 3))["a"]) == MAX_BYTES - 3


def test_works_without_the_compiled_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_loader, "_Parser", yaml_loader.yaml.SafeLoader)
    assert only_tree("a: &a {x: [1e-5, yes]}\nb: *a") == {"a": {"x": [1e-5, True]}, "b": {"x": [1e-5, True]}}
    assert "not valid YAML" in only_problem("a: b: c").message
    assert "surrogates" in only_problem('a: "\\ud800"').message
    assert "50 levels" in only_problem("a: " + "[" * 10_000).message


def test_read_text(tmp_path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: \xc3\xbc")
    assert read_text(file) == "a: ü"
    file.write_bytes(b"x" * (MAX_BYTES + 1))
    for path, expected in (
        (file, "1 MiB"),
        (tmp_path, "cannot be read"),
        (tmp_path / "none", "No such file"),
        (tmp_path / ("n" * 300), "cannot be read"),
    ):
        with pytest.raises(SpecError, match=expected) as caught:
            read_text(path)
        assert caught.value.source == str(path)


PIECES = st.sampled_from(
    [*"[]{}:,-?&*!|>'\"%@`#\n \t\\", "<<", ": ", "- ", "\n  ", "&a ", "*a ", "a: ", "!!str ", "---\n", "...\n", "|2-\n"]
)


@settings(max_examples=300, deadline=5000)
@given(st.one_of(st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=60).map("".join), st.binary(max_size=80)))
def test_anything_gives_mappings_or_a_spec_error(text: str | bytes) -> None:
    with contextlib.suppress(SpecError):
        documents = load_documents(text, "fuzz")
        assert all(json.loads(json.dumps(document.tree)) == document.tree for document in documents)


TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False))
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), TREES, max_size=4))
def test_every_json_tree_comes_back(tree: dict[str, object]) -> None:
    assert only_tree(json.dumps(tree)) == tree

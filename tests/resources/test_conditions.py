"""Conditions over job objects: vectors worked out by hand, and properties of the parser."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from katib.core.errors import SpecError
from katib.resources.conditions import Match, parse
from katib.resources.gjson import MAX_LENGTH, MAX_STEPS, MISSING, follow, parse_path

COMPLETE = 'status.conditions.#(type=="Complete")#|#(status=="True")#'
SUCCEEDED_FALSE = 'status.conditions.#(type=="Succeeded")#|#(status=="False")#'
ARGO = 'status.[@this].#(phase=="Succeeded")#'


def job(*conditions, **status):
    return {
        "status": {
            "conditions": [dict(zip(("type", "status", "reason", "message"), c, strict=False)) for c in conditions],
            **status,
        }
    }


@pytest.mark.parametrize(
    ("text", "obj", "expected"),
    [
        pytest.param(
            COMPLETE, job(("Complete", "True", "Done", "all pods ended")), Match("Done", "all pods ended"), id="job"
        ),
        pytest.param(COMPLETE, job(("Suspended", "True"), ("Complete", "True")), Match("", ""), id="second"),
        pytest.param(COMPLETE, job(("Complete", "False")), None, id="status-false"),
        pytest.param(COMPLETE, job(("Failed", "True")), None, id="other-type"),
        pytest.param(COMPLETE, job(), None, id="no-conditions"),
        pytest.param(COMPLETE, {"status": {}}, None, id="no-list"),
        pytest.param(COMPLETE, {}, None, id="no-status"),
        pytest.param(COMPLETE, None, None, id="no-object"),
        pytest.param(
            COMPLETE, {"status": {"conditions": {"type": "Complete", "status": "True"}}}, None, id="no-list-but-map"
        ),
        pytest.param(
            COMPLETE,
            job(("Complete", "False"), ("Complete", "True", "Second")),
            Match("Second", ""),
            id="pipe-sees-all",
        ),
        pytest.param(
            SUCCEEDED_FALSE, job(("Succeeded", "False", "TaskRunFailed")), Match("TaskRunFailed", ""), id="tekton"
        ),
        pytest.param(SUCCEEDED_FALSE, job(("Succeeded", "Unknown")), None, id="tekton-running"),
        pytest.param(ARGO, {"status": {"phase": "Succeeded", "message": "m"}}, Match("", "m"), id="argo"),
        pytest.param(ARGO, {"status": {"phase": "Running"}}, None, id="argo-running"),
        pytest.param("status.phase", {"status": {"phase": "Succeeded"}}, None, id="text-never-matches"),
        pytest.param("status.ok", {"status": {"ok": True}}, None, id="true-never-matches"),
        pytest.param("status.conditions.#", job(("a", "b")), None, id="count-never-matches"),
        pytest.param("status.conditions.#.type", job(("a", "b")), None, id="texts-never-match"),
        pytest.param("status", {"status": {}}, Match("", ""), id="empty-object-matches"),
        pytest.param("status", {"status": {"reason": 7, "message": None}}, Match("", ""), id="odd-reason"),
    ],
)
def test_match(text, obj, expected):
    assert parse(text).match(obj) == expected


FRIENDS = {
    "name": {"first": "Tom", "last": "Anderson"},
    "age": 37,
    "fav.movie": "Deer Hunter",
    "a#b": 1,
    "#": "sharp",
    "x*y": "star",
    "none": None,
    "friends": [
        {"first": "Dale", "age": 44, "nets": ["ig", "fb"], "ok": True, "gone": None},
        {"first": "Roger", "age": 68, "nets": ["fb", "tw"], "ok": False},
        {"first": "Jane", "age": 47, "nets": ["ig", "tw"], "note": 'say "hi" (x)'},
    ],
    "children": ["Sara", "Alex", "Jack"],
    "numbers": [1, 2.5, 10],
    "rows": [[1, 2], [3]],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name.last", "Anderson"),
        ("age", 37),
        (r"fav\.movie", "Deer Hunter"),
        ("a#b", 1),
        ("#", "sharp"),
        (r"x\*y", "star"),
        ("na*.f?rst", "Tom"),
        ("name.zip", MISSING),
        ("name.last.x", MISSING),
        ("children.1", "Alex"),
        ("children.3", MISSING),
        ("children.-1", MISSING),
        ("children.99999999999999999999", MISSING),
        ("children.#", 3),
        ("friends.#.first", ["Dale", "Roger", "Jane"]),
        ("friends.#.note", ['say "hi" (x)']),
        ("friends.#.nets.#", [2, 2, 2]),
        ("friends.#.first|1", "Roger"),
        ("friends.#.first.1", []),
        ("rows.#.0", [1, 3]),
        ('friends.#(first=="Roger").age', 68),
        ('friends.#(first="Roger").age', 68),
        ('friends.#(first=="Nobody").age', MISSING),
        ('friends.#(first=="Nobody")#.age', []),
        ("friends.#(age>45).first", "Roger"),
        ("friends.#(age>45)#.first", ["Roger", "Jane"]),
        ("friends.#(age>=47)#.age", [68, 47]),
        ("friends.#(age<47)#.age", [44]),
        ("friends.#(age<=47)#.age", [44, 47]),
        ("friends.#(age!=47)#.age", [44, 68]),
        ('friends.#(age=="47").first', "Jane"),
        ("friends.#(age==4.7e1).first", "Jane"),
        ("friends.#(age==old)#", []),
        ("friends.#(age!=old)#|#", 3),
        ("friends.#( first == Jane ).age", 47),
        ('friends.#(first%"D*").age', 44),
        ('friends.#(first%"?a*")#.first', ["Dale", "Jane"]),
        ('friends.#(first!%"D*")#.first', ["Roger", "Jane"]),
        ('friends.#(age%"4*")#', []),
        ('friends.#(first>"Jan")#.first', ["Roger", "Jane"]),
        ("friends.#(ok==true)#.first", ["Dale"]),
        ("friends.#(ok==false)#.first", ["Roger"]),
        ("friends.#(ok!=true)#.first", ["Roger"]),
        ("friends.#(ok>false)#.first", ["Dale"]),
        ("friends.#(gone==null)#.first", ["Dale"]),
        ("friends.#(gone!=null)#.first", []),
        ("friends.#(note)#.first", ["Jane"]),
        ("friends.#(gone)#.first", ["Dale"]),
        (r'friends.#(note=="say \"hi\" (x)").first', "Jane"),
        ('friends.#(nets.#(=="fb"))#.first', ["Dale", "Roger"]),
        ('friends.#(nets.#(=="ig")#|#>0)#.first', ["Dale", "Jane"]),
        ("friends.#(nets==x)#", []),
        ('children.#(%"*a*")#', ["Sara", "Jack"]),
        ("numbers.#(>2)#", [2.5, 10]),
        ("friends.#(==1)#", []),
        ("@this.age", 37),
        ("name.@this|last", "Anderson"),
        ("[age,name.first]", [37, "Tom"]),
        ("name.[first,zip,last]", ["Tom", "Anderson"]),
        ('name.[@this].#(first=="Tom")#.last', ["Anderson"]),
        ("[age].0", 37),
        ("none", None),
        ("none.x", MISSING),
    ],
)
def test_path(text, expected):
    assert follow(FRIENDS, parse_path(text)) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("a*c", "abbc", True),
        ("a*c", "abbd", False),
        ("?", "", False),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        (r"\\*", "*", True),
        (r"\\*", "x", False),
        (r"a\\b", "ab", True),
        ("a*", "a\nb", True),
        ("*a" * 30 + "b", "a" * 300, False),
    ],
)
def test_wildcards(pattern, text, expected):
    assert (follow([text], parse_path(f'#(%"{pattern}")#')) == [text]) is expected


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        pytest.param("", 1, "a key", id="empty"),
        pytest.param("a.", 3, "a key", id="dot-at-end"),
        pytest.param("a||b", 3, "a key", id="two-pipes"),
        pytest.param('a.#(b=="c"', 11, "')'", id="open-query"),
        pytest.param('a.#(b=="c)', 8, "double quotes", id="open-text"),
        pytest.param("a.#(b==)", 8, "a value", id="no-value"),
        pytest.param("a.#(b c)", 7, "an operator", id="no-operator"),
        pytest.param("a.#()", 5, "a key", id="empty-query"),
        pytest.param("a.#x", 4, "'#'", id="after-hash"),
        pytest.param("a.@keys", 3, "'@this'", id="modifier"),
        pytest.param("a.[b", 5, "']'", id="open-bracket"),
        pytest.param("a.{b}", 3, "backslash", id="braces"),
        pytest.param("a[0]", 2, "backslash", id="index-in-brackets"),
        pytest.param("a\\", 3, "after the backslash", id="backslash-at-end"),
        pytest.param("a.#(b==1)c", 10, "the end", id="after-query"),
        pytest.param("a)", 2, "backslash", id="stray-parenthesis"),
    ],
)
def test_syntax_errors_name_the_place(text, position, expected):
    with pytest.raises(SpecError, match=rf"position {position}: expected .*{re.escape(expected)}"):
        parse(text)


def test_limits():
    parse(".".join("a" * MAX_STEPS))
    for text in ("a" * (MAX_LENGTH + 1), ".".join("a" * (MAX_STEPS + 1)), "#(" * 1000, "[" * 1000):
        with pytest.raises(SpecError, match="at most"):
            parse(text)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b", "status", "reason"]) | st.text(), inner),
    max_leaves=20,
)
TOKENS = st.lists(
    st.sampled_from([*'ab.|#()=!%<>"1[],@\\*?{0-~ ', "#(", ")#", "==", "!%", "@this", '"a"', "true"]), max_size=15
).map("".join)


@settings(deadline=None)
@given(st.text() | TOKENS, TREES)
def test_only_spec_errors_at_parse_and_none_at_match(text, tree):
    try:
        condition = parse(text)
    except SpecError:
        return
    found = condition.match(tree)
    assert found is None or (isinstance(found.reason, str) and isinstance(found.message, str))


@settings(deadline=None)
@given(st.text(min_size=1), st.dictionaries(st.text(), st.integers(), max_size=3))
def test_any_key_can_be_written(key, others):
    escaped = "".join("\\" + c for c in key)
    tree = {**others, key: {"reason": "found"}}
    assert parse(escaped).match(tree) == Match("found", "")


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_text_can_be_compared(value, other):
    tree = {"conditions": [{"type": value, "reason": "found"}]}
    assert parse(f"conditions.#(type=={json.dumps(value)})").match(tree) == Match("found", "")
    assert bool(parse(f"conditions.#(type=={json.dumps(other)})").match(tree)) == (value == other)

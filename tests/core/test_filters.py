"""Filters of users: which are refused, what they find, and that none is slow whatever a program prints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katib.core.errors import SpecError
from katib.core.filters import MAX_MATCHES, Filter, compile_filters

KATIB_DEFAULT = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"

FOUND = [
    pytest.param(KATIB_DEFAULT, "epoch 1: loss = 1e-05, acc=.5", [("loss", "1e-05"), ("acc", ".5")], id="default"),
    pytest.param(KATIB_DEFAULT, "loss=nan", [("loss", "")], id="default, no number"),
    pytest.param(r"([\w-]+)=(Genotype.*)", "Best=Genotype(a=[1])", [("Best", "Genotype(a=[1])")], id="Katib: darts"),
    pytest.param(
        r"{metricName: ([\w|-]+), metricValue: ((-?\d+)(\.\d+)?)}",
        "{metricName: loss, metricValue: -0.5};{metricName: acc, metricValue: 7}",
        [("loss", "-0.5"), ("acc", "7")],
        id="Katib: file collector",
    ),
    pytest.param(r"([[:alpha:]]+)=(\d+)", "loss=5", [("loss", "5")], id="POSIX class"),
    pytest.param(r"(?i)(LOSS): (?P<v>\d{1,3}\.\d{2})", "Loss: 1.25", [("Loss", "1.25")], id="flags, counts, names"),
    pytest.param(r"(loss)( .*)?", "loss", [("loss", "")], id="a group that took no part"),
    pytest.param(r"(\w+):(.*)", "loss:  0.5  ", [("loss", "0.5")], id="trimmed"),
    pytest.param(r"(точность)=(\S+)", "ü точность=0.5é", [("точность", "0.5é")], id="beyond ASCII"),
    pytest.param(r"(\w+)=(\d+)", "é=1 a=٣ b=2", [("b", "2")], id="word characters and digits are ASCII"),
]

REFUSED = [
    pytest.param(r"(\w+)=(", "expected a regular expression (RE2 syntax): missing )", id="does not compile"),
    pytest.param(r"(\w+)=\1(\d)", "invalid escape sequence", id="back-reference"),
    pytest.param(r"(?<!val )(loss) (\S+)", "expected a regular expression", id="look-behind"),
    pytest.param(r"(?=a)(b)(c)", "expected a regular expression", id="look-ahead"),
    pytest.param(r"(\w++)=(\d)", "bad repetition", id="possessive"),
    pytest.param(r"(a{1001})(b)", "expected a regular expression", id="count too large"),
    pytest.param(r"((a{1000}){1000})(b)", "expected a regular expression", id="counts multiply"),
    pytest.param("(\ud800)(b)", "expected a regular expression", id="surrogate"),
    pytest.param("(" * 600 + ")" * 600, "at most 1000", id="too long"),
    pytest.param(r"(\w+)=\d+", "with 1 group(s), expected two", id="one group"),
    pytest.param("", "with 0 group(s), expected two", id="empty"),
]

# Python's matcher takes exponential time or worse than quadratic time for each of these.
CATASTROPHIC = [
    (r"(a+)+(x)$", "a"),
    (r"((a|ab)*)(c)", "a"),
    (r"((?:\w\s?)*)(=)", "a "),
    (r"((?:a{1,9}){1,9})(b)", "a"),
    (r"(.*)(.*)(.*)=x", "a="),
    (r"(.*?),(.*?),(.*?),(x)", "a,"),
    (r"(a?a?a?a?a?a?a?a?a?a?)(aaaaaaaaaa)b", "a"),
    (r"(a)(.*b)?", "a"),
    (r"(\S+)\s*=\s*(\S+)\s*$", "a = "),
]


@pytest.mark.parametrize(("text", "line", "expected"), FOUND)
def test_find(text: str, line: str, expected: list[tuple[str, str]]) -> None:
    assert list(Filter(text).find(line)) == expected


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        compile_filters([KATIB_DEFAULT, text])
    (problem,) = caught.value.problems
    assert problem.path == "[1]"
    assert message in problem.message


def test_all_bad_filters_are_named() -> None:
    with pytest.raises(SpecError) as caught:
        compile_filters(["(", KATIB_DEFAULT, "x"])
    assert [problem.path for problem in caught.value.problems] == ["[0]", "[2]"]


def test_there_may_be_fifty() -> None:
    assert len(compile_filters([KATIB_DEFAULT] * 50)) == 50
    with pytest.raises(SpecError, match="got 51 filters, expected at most 50"):
        compile_filters([KATIB_DEFAULT] * 51)


@pytest.mark.parametrize(("text", "junk"), CATASTROPHIC)
def test_a_line_of_100_kb_cannot_hold_anything_up(text: str, junk: str) -> None:
    """It ends at all; with Python's matcher most of them would not within a lifetime."""
    line = (junk * 100_000)[:100_000] + "!"
    assert len(list(Filter(text).find(line))) <= MAX_MATCHES


def test_matches_in_a_line_are_bounded() -> None:
    assert len(list(Filter(KATIB_DEFAULT).find("a=1 " * 5000))) == MAX_MATCHES


@given(text=st.text(max_size=40), line=st.text(max_size=40))
def test_any_text_is_a_filter_or_a_spec_error(text: str, line: str) -> None:
    try:
        usable = Filter(f"({text})({text})")
    except SpecError:
        return
    assert all(name == name.strip() and value == value.strip() for name, value in usable.find(line))

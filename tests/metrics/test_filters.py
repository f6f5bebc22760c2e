"""Filters of users: which are refused, and that those which are not stay quick whatever a program prints."""

from __future__ import annotations

import time

import pytest

from katib.core.errors import SpecError
from katib.metrics.filters import SEARCHED, compile_filters

KATIB_DEFAULT = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"

USABLE = [
    pytest.param(KATIB_DEFAULT, 0, id="Katib's default"),
    pytest.param(r"([\w-]+)=(Genotype.*)", 0, id="genotype"),
    pytest.param(r"\{metricName: ([\w|-]+), metricValue: ((-?\d+)(\.\d+)?)\}", 0, id="braces"),
    pytest.param(r"(loss|lr|accuracy|acc)\s*[:=]\s*([-+\d.eE]+|nan|inf)", 1, id="alternatives"),
    pytest.param(r"(\w+):\s*(.*)", 0, id="the end cannot fail"),
    pytest.param(r"(?i)(LOSS): (\d{1,3}\.\d{2})", 0, id="flags and counts"),
    pytest.param(r"^\[(\w+)\] (?P<value>[^ ]+)$", 0, id="anchors and names"),
    pytest.param(r"(?<!val )(loss) (?=\d)(\S+)", 0, id="assertions"),
    pytest.param(r"(\w++) (?>\d+)(\w)", 1, id="possessive and atomic"),
    pytest.param(r"(.*)=(.*)", 1, id="one choice"),
    pytest.param(r".*?(\w+)\s*:\s*(.+)", 2, id="two choices"),
    pytest.param(r"(\w*)\s*(\w*)=z", 1, id="optional in between"),
]

REFUSED = [
    pytest.param(r"(a+)+(b)", "within a repeat", id="repeat in a repeat"),
    pytest.param(r"((a|ab)*)(c)", "within a repeat", id="alternative in a repeat"),
    pytest.param(r"((?:\w\s?)*)(=)", "within a repeat", id="option in a repeat"),
    pytest.param(r"((?:a{1,9}){1,9})(b)", "within a repeat", id="counted repeats"),
    pytest.param(r"(.*)(.*)(.*)=x", "overlap", id="three choices"),
    pytest.param(r"(a?a?a?a?)(aaaa)b", "overlap", id="options"),
    pytest.param(r"((?:a|a)(?:b|b)(?:c|c))(d)", "overlap", id="equal alternatives"),
    pytest.param(r"(\w+)=\1(\d)", "refers back", id="back-reference"),
    pytest.param(r"(\w+)=(", "no regular expression", id="does not compile"),
    pytest.param(r"(a{99999999999999})(b)", "no regular expression", id="count too large"),
    pytest.param("(" * 5000 + ")" * 5000, "no regular expression", id="too deep"),
    pytest.param(r"(\w+)=\d+", "two, (name) and (value)", id="one group"),
    pytest.param(r"([[:alpha:]]+)=(\d+)", "[a-zA-Z]", id="POSIX class"),
]

JUNK = ["a", " ", "a ", "a=", "loss: ", "loss=", "é", "=", "1.", "("]


@pytest.mark.parametrize(("source", "choices"), USABLE)
def test_usable_filters_are_quick_on_any_line(source: str, choices: int) -> None:
    (usable,) = compile_filters([source])
    assert usable.searched == SEARCHED[choices]
    for junk in JUNK:
        started = time.process_time()
        for _ in usable.find(junk * 5000):
            pass
        assert time.process_time() - started < 10


@pytest.mark.parametrize(("source", "message"), REFUSED)
def test_refused_filters(source: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        compile_filters([KATIB_DEFAULT, source])
    (problem,) = caught.value.problems
    assert problem.path == "spec.metricsCollectorSpec.source.filter.metricsFormat[1]"
    assert message in problem.message


def test_all_bad_filters_are_named() -> None:
    with pytest.raises(SpecError) as caught:
        compile_filters(["(", KATIB_DEFAULT, "x"])
    assert [problem.path[-3:] for problem in caught.value.problems] == ["[0]", "[2]"]

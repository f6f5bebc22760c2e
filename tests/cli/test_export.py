"""``katib export``: every format holds the same; tables can be read back whatever is in them; memory does not grow."""

from __future__ import annotations

import csv
import io
import json
import math
import stat
import tracemalloc
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from katib.cli.exits import FAILED, NOT_FOUND, OK, USAGE
from katib.cli.export import CURVE_COLUMNS, PAGE
from katib.cli.main import main
from katib.cli.records import FACTS, FORMATS, flat, trial_record, write_records
from katib.compose import Workshop
from katib.core.changes import Changes, TrialChange
from katib.core.objective import Measurement, observe
from katib.core.trial import FailureClass, Trial, TrialState
from katib.options import Options
from katib.resources.status_conditions import rfc3339_exact
from tests.contracts.store_contract import KEY, experiment

HOSTILE = ["plain", "a,b", 'say "hi"', "two\nlines", "\r", "=1+1", "+x", "-x", "@sum", "\tx", "ünïcode 🎉", "'", ""]


def stored(home, trials):
    """Store an experiment with these trials."""
    workshop = Workshop(Options(home))
    workshop.store.commit(Changes(KEY, experiment()), expected=0)
    for start in range(0, len(trials), 1000):
        workshop.store.commit(Changes(KEY, trials=tuple(trials[start : start + 1000])))
    workshop.close()


def change(number, text="0.5", **fields):
    value = 0.5 + number
    reports = (Measurement("loss", value, str(value), 100.25), Measurement("note", None, text, 101.0, step=3))
    trial = Trial(
        number,
        f"study-{number:08}",
        {"lr": 0.1, "layers": 3, "optimizer": "adam"},
        state=TrialState.SUCCEEDED,
        created=90.0,
        started=95.5,
        finished=105.75,
        observation=observe({}, reports),
        measured=2,
    )
    return TrialChange(replace(trial, **fields), reports)


@pytest.fixture
def study(home):
    """Trials of all kinds, more than a page of them, with texts that are not easy to write."""
    odd = [change(number, text, reason=text, labels={"text": text}) for number, text in enumerate(HOSTILE)]
    lost = Trial(len(odd), "study-lost", {"lr": 0.1}, state=TrialState.FAILED, failure=FailureClass.LOST, created=1.0)
    rest = [change(number) for number in range(len(odd) + 1, PAGE + 20)]
    pending = Trial(PAGE + 20, "study-pending", {"lr": 1.0, "new": True}, parent=0, created=1.0)
    changes = [*odd, TrialChange(lost), *rest, TrialChange(pending)]
    stored(home, changes)
    return changes


@pytest.fixture
def ask(katib, tmp_path):
    """What is exported, to the character."""

    def call(*words):
        file = tmp_path / "exported"
        answer = katib("export", "study", "-n", "team", "-o", file, *words)
        assert (answer.status, answer.out, answer.err) == (OK, "", "")
        return file.read_bytes().decode()

    return call


def rows(text, delimiter=","):
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_every_format_holds_every_trial(ask, study):
    records = json.loads(ask("--format", "json"))
    assert [record["number"] for record in records] == list(range(len(study)))
    assert [json.loads(line) for line in ask("--format", "jsonl").split("\n")[:-1]] == records
    assert yaml.safe_load(ask("--format", "yaml")) == records
    table, tabs = rows(ask()), rows(ask("--format", "tsv"), "\t")
    assert table == tabs
    assert [row["trial"] for row in table] == [record["trial"] for record in records]


def test_columns_are_the_paths_of_records_and_stand_in_a_stable_order(ask, study):
    header = ask().partition("\n")[0].split(",")
    assert header == [
        *FACTS,
        *(f"parameters.{name}" for name in ("lr", "layers", "optimizer", "new")),
        *(
            f"metrics.{name}.{part}"
            for name in ("loss", "note")
            for part in ("value", "min", "max", "latest", "reports")
        ),
        "labels.text",
    ]
    known = {path for record in json.loads(ask("--format", "json")) for path in flat(record)}
    assert set(header) == known - {"parameters", "metrics", "labels"}


def test_texts_survive(ask, study):
    for row, text in zip(rows(ask("--raw")), HOSTILE, strict=False):
        assert (row["reason"], row["metrics.note.latest"], row["labels.text"]) == (text, text, text)


def test_formulas_are_disarmed_and_numbers_are_not(ask, study):
    guarded = {f"'{text}" if text[:1] in "=+-@\t\r" and text else text for text in HOSTILE}
    table = rows(ask())
    assert {row["labels.text"] for row in table[: len(HOSTILE)]} == guarded


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (-0.5, "-0.5"),
        ("-0.5", "-0.5"),
        ("+1e-05", "+1e-05"),
        ("-nan", "'-nan"),
        (True, "true"),
        (None, ""),
        (1e-05, "1e-05"),
    ],
)
def test_cells(value, cell):
    file = io.StringIO()
    write_records(file, "csv", [{"x": value, "y": 1}], ("x", "y"), raw=False)
    assert file.getvalue().split("\n")[1].split(",")[0] == cell


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_any_text_can_be_read_back(texts):
    columns = [f"c{index}" for index in range(len(texts))] + ["end"]
    for form, delimiter in (("csv", ","), ("tsv", "\t")):
        file = io.StringIO(newline="")
        write_records(file, form, [{**dict(zip(columns, texts, strict=False)), "end": 1}], columns, raw=True)
        _, row = csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=delimiter)
        assert row == [*texts, "1"]


@given(
    st.recursive(st.none() | st.booleans() | st.text(), lambda x: st.dictionaries(st.text(max_size=3), x), max_leaves=5)
)
def test_any_record_can_be_read_back(value):
    record = {"x": value}
    for form, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        file = io.StringIO()
        write_records(file, form, [record, record], (), raw=False)
        assert read(file.getvalue()) == [record, record]


@pytest.mark.parametrize("form", FORMATS)
def test_no_trials(ask, home, form):
    stored(home, [])
    out = ask("--format", form)
    if form in ("csv", "tsv"):
        assert len(out.splitlines()) == 1
    else:
        assert (json.loads(out) if form == "json" else yaml.safe_load(out) or []) == []


def test_values(ask, study):
    first = json.loads(ask("--format", "json"))[0]
    assert first["value"] == 0.5
    assert first["seconds"] == 10.25
    assert first["started"] == "1970-01-01T00:01:35.500000Z"
    assert first["metrics"]["loss"] == {"value": 0.5, "min": 0.5, "max": 0.5, "latest": "0.5", "reports": 1}
    lost = next(r for r in json.loads(ask("--format", "json")) if r["trial"] == "study-lost")
    assert (lost["failure"], lost["value"], lost["finished"], lost["metrics"]) == ("Lost", None, None, {})


def test_curves(ask, study):
    table = rows(ask("--curves"))
    assert tuple(table[0]) == CURVE_COLUMNS
    assert len(table) == 2 * (len(study) - 2)
    assert [(row["metric"], row["sequence"], row["step"], row["value"]) for row in table[:2]] == [
        ("loss", "0", "", "0.5"),
        ("note", "1", "3", ""),
    ]
    assert json.loads(ask("--curves", "--format", "json"))[1]["text"] == HOSTILE[0]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(1714564800.25, "2024-05-01T12:00:00.250000Z", id="seconds"),
        pytest.param(1714564800250.0, "9999-12-31T23:59:59.000000Z", id="a trial that reports milliseconds"),
        pytest.param(-1e300, "0001-01-01T00:00:00.000000Z", id="long ago"),
        pytest.param(math.inf, "9999-12-31T23:59:59.000000Z", id="never"),
        pytest.param(math.nan, "1970-01-01T00:00:00.000000Z", id="no time"),
    ],
)
def test_every_time_can_be_written(seconds, text):
    assert rfc3339_exact(seconds) == text


def test_into_a_file(katib, ask, study, tmp_path):
    for name, form in (("t.csv", "csv"), ("t.json", "json"), ("t.yml", "yaml"), ("t.jsonl", "jsonl"), ("t.txt", "csv")):
        file = tmp_path / name
        file.write_text("what was there before")
        assert katib("export", "study", "-n", "team", "-o", file).out == ""
        assert file.read_bytes().decode() == ask("--format", form)
        assert stat.S_IMODE(file.stat().st_mode) & 0o400
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("words", [(), ("-o", "-")], ids=["", "dash"])
def test_to_standard_output(katib, ask, study, words):
    answer = katib("export", "study", "-n", "team", *words)
    assert answer.status == OK
    assert answer.out.split() == ask().split()


def test_a_file_is_written_whole_or_not_at_all(katib, study, tmp_path, monkeypatch):
    file = tmp_path / "t.csv"
    file.write_text("what was there before")
    monkeypatch.setattr("katib.cli.export.trial_record", lambda *_: 1 / 0)
    assert katib("export", "study", "-n", "team", "-o", file).status == FAILED
    assert file.read_text() == "what was there before"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        pytest.param(("nope",), NOT_FOUND, "no experiment 'nope'", id="unknown"),
        pytest.param(("trial/x",), USAGE, "only experiments can be exported, got trial 'x'", id="trial"),
        pytest.param(("study", "-n", "team", "--format", "xml"), USAGE, "'xml' is not one of", id="format"),
        pytest.param(("study", "-n", "team", "-o", "nowhere/t.csv"), FAILED, "No such file", id="folder"),
        pytest.param(("one", "two"), USAGE, "one experiment is exported at a time", id="two"),
    ],
)
def test_errors(katib, study, words, status, message):
    answer = katib("export", *words)
    assert (answer.status, answer.out) == (status, "")
    assert message in answer.err


@pytest.mark.slow
def test_memory_does_not_grow_with_the_trials(home, tmp_path):
    peaks = []
    for count in (2 * PAGE, 10 * PAGE):
        stored(home, [change(number, labels={"pad": "x" * 200}) for number in range(count)])
        tracemalloc.start()
        assert main(["export", "study", "-n", "team", "-o", str(tmp_path / "t.csv")]) == OK
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len((tmp_path / "t.csv").read_text().splitlines()) == count + 1
        assert main(["delete", "study", "-n", "team"]) == OK
    assert peaks[1] < 1.3 * peaks[0]


def test_a_record_is_of_plain_values():
    record = trial_record(experiment(), change(0).trial)
    assert json.loads(json.dumps(record)) == record

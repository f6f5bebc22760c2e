"""``katib validate``, ``algorithms``, ``doctor`` and ``suggestion-service``; how numbers and times are printed."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
from pathlib import Path

import pytest
import yaml

from algorithms import ALGORITHMS, STOPPERS, settings_of
from katib.cli import doctor
from katib.cli.exits import FAILED, OK, USAGE
from katib.cli.output import age, duration, number
from tests.cli.command_line import document, started, write

ROOT = Path(__file__).parents[2]


def test_validate(katib, tmp_path):
    file = write(tmp_path, document())
    answer = katib("validate", file)
    assert (answer.status, answer.out, answer.err) == (OK, f"{file}: experiment exp is valid\n", "")
    filled = yaml.safe_load(katib("validate", file, "-o", "yaml").out)
    assert json.loads(katib("validate", file, "-o", "json").out) == filled
    assert filled["spec"]["resumePolicy"] == "Never"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("file", sorted(ROOT.glob("examples/**/*.yaml")), ids=lambda path: path.name)
def test_examples_are_valid(katib, file):
    answer = katib("validate", file)
    assert (answer.status, answer.err) == (OK, "")


def test_algorithms(katib):
    answer = katib("algorithms")
    assert answer.status == OK
    rows = [line.split()[0] for line in answer.out.splitlines()[1:]]
    assert rows == [*sorted(ALGORITHMS), *sorted(STOPPERS)]
    assert [entry["name"] for entry in json.loads(katib("algorithms", "-o", "json").out)] == rows


@pytest.mark.parametrize("name", [*ALGORITHMS, *STOPPERS])
def test_settings_of_an_algorithm(katib, name):
    settings = settings_of(name)
    out = katib("algorithms", name).out
    for setting in settings:
        (row,) = (line for line in out.splitlines() if line.startswith(f"{setting.name} "))
        assert all(text in row for text in (setting.type.__name__, setting.expected, setting.help))
        assert ("required" in row.split()) == setting.required
    printed = yaml.safe_load(katib("algorithms", name, "-o", "yaml").out)
    assert [entry["name"] for entry in printed] == [setting.name for setting in settings]


def test_unknown_algorithm(katib):
    answer = katib("algorithms", "baysianoptimization")
    assert answer.status == USAGE
    assert "(did you mean 'bayesianoptimization'?)" in answer.err


def test_doctor(katib, home):
    answer = katib("doctor")
    assert answer.status == OK
    assert "bad" not in answer.out.split()
    assert re.search(rf"^ok +store +{home}/katib.db is empty$", answer.out, re.MULTILINE)


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(lambda patch, folder: patch.setenv("KATIB_STORE", "nonsense"), id="store"),
        pytest.param(lambda patch, folder: patch.setattr(doctor, "REQUIRED", ("no-such-library",)), id="library"),
        pytest.param(lambda patch, folder: patch.setattr(doctor, "PACKAGES", ("no_such_package",)), id="package"),
        pytest.param(lambda patch, folder: patch.setattr(doctor, "PACKAGES", ("json",)), id="foreign package"),
    ],
)
def test_doctor_finds_faults(katib, tmp_path, monkeypatch, break_it):
    break_it(monkeypatch, tmp_path)
    answer = katib("doctor")
    assert answer.status == FAILED
    assert sum(line.startswith("bad ") for line in answer.out.splitlines()) == 1


def test_doctor_notes_missing_extras(katib, monkeypatch):
    monkeypatch.setattr(doctor, "EXTRAS", {"skopt": ("no-such-library",)})
    answer = katib("doctor")
    assert answer.status == OK
    assert "pip install 'katib-engine[skopt]' brings no-such-library" in answer.out


def test_suggestion_service(katib, home, tmp_path):
    with started(tmp_path, "suggestion-service", "--port", "0") as service:
        service.said("suggestion service listening on 127.0.0.1:")
        address = service.out.split()[-1]
        answer = katib("run", write(tmp_path, document()), "--suggestion", address)
        assert (answer.status, answer.err) == (OK, "")
        service.signal(signal.SIGINT)
        assert service.end().status == OK


def test_suggestion_service_beyond_this_machine(katib):
    answer = katib("suggestion-service", "--host", "0.0.0.0", "--port", "0")
    assert answer.status == USAGE
    assert "--insecure" in answer.err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (0.4, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (3600, "60m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 61, "3h1m"),
        (30 * 3600, "30h"),
        (100 * 3600, "4d"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_ages_and_numbers():
    assert age(None) == "<none>"
    assert age(100.0, 105.2) == "5s"
    assert [number(value) for value in (None, 0.1, 1e-9, 123456789.0)] == ["", "0.1", "1e-09", "1.23457e+08"]


def test_reference_page_is_up_to_date():
    """Mend with: python docs/generate_cli.py"""
    spec = importlib.util.spec_from_file_location("generate_cli", ROOT / "docs" / "generate_cli.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "cli.md").read_text() == module.page()

"""The page on metrics: every snippet is a valid collector that can be made, every kind has one, its claims hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from katib.core.collector import CollectorSpec
from katib.core.filters import MAX_MATCHES
from katib.core.objective import Objective
from katib.core.ports import Chunk
from katib.core.trial import Cursor
from katib.metrics import COLLECTORS, create_collector
from katib.metrics.records import MAX_RECORD
from katib.resources.convert import to_spec
from katib.resources.defaults import fill_defaults
from katib.resources.documents import Experiment
from katib.resources.reading import read
from katib.resources.validation import validate
from tests.resources.experiment_trees import KNOWN, experiment_tree
from trial_runners.beside import custom_command, exposition
from trial_runners.local.collecting import SCRAPE_SECONDS
from trial_runners.local.event_folder import MAX_FILES

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
SNIPPETS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def spec_of(snippet: dict) -> CollectorSpec:
    model, unknown = read(Experiment, experiment_tree({f"spec.{key}": value for key, value in snippet.items()}))
    assert not unknown
    experiment = fill_defaults(model)
    validate(experiment, KNOWN)
    return to_spec(experiment).collector


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet["metricsCollectorSpec"]["collector"]["kind"])
def test_snippets_are_valid(snippet: dict) -> None:
    create_collector(spec_of(snippet), Objective("loss"))


def test_every_kind_has_one() -> None:
    assert {spec_of(snippet).kind for snippet in SNIPPETS} == set(COLLECTORS)
    assert set(re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)) == {"Paths", *COLLECTORS}


def test_the_filter_and_the_json_line_do_what_is_said() -> None:
    filtered = create_collector(spec_of(SNIPPETS[0]), Objective("loss"))
    assert filtered(Chunk("stdout", Cursor(), b"loss: 0.5\n", 1.0)).measurements[0].value == 0.5
    (line,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    found = create_collector(spec_of(SNIPPETS[1]), Objective("loss", additional=("accuracy",)))(
        Chunk("metrics", Cursor(), line.encode(), 1.0)
    )
    assert json.loads(line)["loss"] == 0.143
    assert [(m.metric, m.value, m.step, m.time) for m in found.measurements] == [
        ("loss", 0.143, 3, 1714564800.0),
        ("accuracy", 0.953, 3, 1714564800.0),
    ]


def test_the_figures_are_those_of_the_code() -> None:
    assert SCRAPE_SECONDS == 0.5
    assert "Every half second" in PAGE
    assert f"gives up after {exposition.TIMEOUT_SECONDS:g} seconds" in PAGE
    assert (custom_command._SETTLE_SECONDS, custom_command._GRACE_SECONDS) == (0.5, 5.0)
    assert f"at most {MAX_MATCHES:,} matches" in PAGE
    assert f"At most {MAX_FILES:,} event files" in PAGE
    assert MAX_RECORD + 16 == 1 << 20

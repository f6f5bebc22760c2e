"""Archives: what they keep, that reports say the same of them, that campaigns go on from them, what is no archive."""

from __future__ import annotations

import lzma
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.search import archive
from benchmarks.search.campaign import Campaign
from benchmarks.search.report.runs import Run, read_runs
from benchmarks.search.trial_log import dumps
from katib.core.errors import PermanentError
from tests.benchmarks.search.test_campaign import logs, make, run_all


@pytest.fixture
def campaign(tmp_path) -> Campaign:
    made = make(tmp_path, problems=("bowl", "grid", "broken"), workers=2)
    run_all(made)
    return made


def shown(run: Run) -> dict[str, object]:
    """What a report says of a run."""
    names = ("length", "budget", "best", "typical", "worst", "exhausted", "error", "versions", "machine", "family")
    return {name: getattr(run, name) for name in names} | {
        "flags": np.stack([run.feasible, run.failed, run.duplicate]).tolist(), "known": run.known.tolist()
    }  # fmt: skip


def test_reports_read_the_same(campaign):
    before = read_runs(campaign.folder).runs
    assert archive.pack(campaign.folder) == len(before) == 12
    assert logs(campaign.folder) == {}
    reading = read_runs(campaign.folder)
    assert not reading.unreadable
    after = {(run.problem, run.algorithm, run.seed): run for run in reading.runs}
    for run in before:
        packed = after[run.problem, run.algorithm, run.seed]
        assert shown(packed) == shown(run)
        np.testing.assert_allclose(packed.losses, run.losses, rtol=1e-8)
        np.testing.assert_allclose(packed.ask, run.ask, rtol=1e-2)


def test_going_on(campaign):
    archive.pack(campaign.folder)
    assert campaign.open_tasks() == []
    assert {task.problem for task in campaign.open_tasks(retry_errors=True)} == {"broken"}
    more = replace(campaign, seeds=range(3))
    assert len(run_all(more)) == 6
    assert archive.pack(campaign.folder) == 18
    assert more.open_tasks() == []


def test_the_same_runs_give_the_same_bytes(campaign):
    archive.pack(campaign.folder)
    first = (campaign.folder / archive.FILE).read_bytes()
    archive.pack(campaign.folder)
    assert (campaign.folder / archive.FILE).read_bytes() == first


@pytest.mark.parametrize(("packed", "found", "kept"), [("", "new", ""), ("old", "new", "new"), ("old", "", "")])
def test_of_two_runs_the_one_without_an_error_is_kept(campaign, packed, found, kept):
    (path, log), *_ = logs(campaign.folder).items()
    for error in (packed, found):
        (campaign.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (campaign.folder / path).write_bytes(dumps(log._replace(error=error)))
        archive.pack(campaign.folder)
    errors = {archive.key_of(each): each.error for each in archive.read(campaign.folder / archive.FILE)}
    assert errors[archive.key_of(log)] == kept


@pytest.mark.parametrize("content", [b"", b"text", lzma.compress(b"{}\n"), lzma.compress(b"text" * 99)[:-9]])
def test_what_is_no_archive(tmp_path, content):
    path = tmp_path / archive.FILE
    path.write_bytes(content)
    with pytest.raises(PermanentError, match=str(path)):
        list(archive.read(path))
    assert set(read_runs(tmp_path).unreadable) == {archive.FILE}


def test_no_archive_is_an_empty_one(tmp_path):
    assert list(archive.read(tmp_path / archive.FILE)) == []

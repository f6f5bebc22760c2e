"""The benchmark of the server, in small: it comes to its end, and neither errs nor misses anything."""

from __future__ import annotations

import json

import pytest

from benchmarks import serve


@pytest.mark.slow
def test_a_small_load(tmp_path):
    out = tmp_path / "serve.json"
    serve.main(["--seconds", "3", "--rate", "30", "--watches", "6", "--trials", "200", "--out", str(out)])
    rows = {row["case"]: row for row in json.loads(out.read_text())["rows"]}
    assert rows["errors"]["value"] == rows["events that 6 watches missed"]["value"] == 0
    assert rows["events that they were told"]["value"] > 0
    assert {"list of 200 trials, first", "reads, p99", "writes, p99"} <= rows.keys()

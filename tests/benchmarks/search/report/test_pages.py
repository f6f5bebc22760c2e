"""The report as files: what is in them, that the page needs nothing else, that the same logs give the same bytes."""

from __future__ import annotations

import csv
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.search.report.findings import findings
from benchmarks.search.report.runs import read_runs
from benchmarks.search.report.study import budgets_of, study_of
from benchmarks.search.report.styles import styles_of
from benchmarks.search.report.write import write_report
from katib.core.errors import PermanentError, UnknownNameError
from tests.benchmarks.search.report.logs import contest, run_log, trial, write_logs

pytestmark = pytest.mark.requires("bench")
ROOT = Path(__file__).parents[4]
SKILLS = {"bayesianoptimization": 1.6, "random": 0.3, "optuna-tpe": 1.0, "hebo": 1.5, "<b>odd</b>|$x$": 0.8}
PROBLEMS = [(f"sphere-{i}d", "bbob") for i in range(4)] + [("crashy", "special"), ("zdt1", "multi-objective")]
SLOW_PROBLEMS = PROBLEMS[:3]
VOID = {"meta", "path", "use", "br", "rect", "circle", "line"}


class Page(HTMLParser):
    """Tags with their attributes, and the text of cells in bold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    fast = {name: skill for name, skill in SKILLS.items() if name != "hebo"}
    write_logs(folder, contest(fast, PROBLEMS, 4, 105, (1, 8)))
    write_logs(folder, contest({"hebo": 1.5}, SLOW_PROBLEMS, 4, 100))
    refused = [
        run_log((), problem="zdt1", family="multi-objective", algorithm="hebo", budget=100, error="several objectives",
                worst=(1.5, 1.5), best=None),
        run_log([0.5] * 30, problem="sphere-3d", family="bbob", algorithm="hebo", budget=100, error="ValueError: NaN"),
    ]  # fmt: skip
    write_logs(folder, refused)
    (folder / "toys/w1-s0.json").write_text("no log")
    return folder


@pytest.fixture(scope="module")
def report(logs, tmp_path_factory):
    return {path.name: path for path in write_report(logs, tmp_path_factory.mktemp("report") / "out")}


@pytest.fixture(scope="module")
def page(report):
    return report["report.html"].read_text()


def test_the_page_comes_first_and_every_file_is_there(report):
    assert next(iter(report)) == "report.html"
    assert {"report.md", "problems.csv", "ranks.csv", "rank-curve-w1-1.png", "critical-difference-w8-1.png"} <= {
        *report
    }
    assert {"regret-bbob-w1-1.png", "regret-multi-objective-w1-1.png", "seconds-w1.png"} <= {*report}
    for name, path in report.items():
        assert path.stat().st_size > 0
        assert name.endswith(".png") == path.read_bytes().startswith(b"\x89PNG")


def test_a_report_of_some_algorithms_has_no_other(logs, tmp_path):
    some = {"optuna-tpe", "random"}
    written = {path.name: path for path in write_report(logs, tmp_path, sorted(some))}
    rows = csv.DictReader(written["ranks.csv"].read_text().splitlines())
    assert {row["algorithm"] for row in rows} == some
    with pytest.raises(UnknownNameError, match=r"'hbeo'.*'hebo'"):
        write_report(logs, tmp_path, ["hbeo"])


@pytest.mark.parametrize(
    ("names", "meant"),
    [(["random"], {"random"}), (["bo", "slow-rivals"], {"bayesianoptimization", "hebo"})],
    ids=["name", "short"],
)
def test_names_of_algorithms(logs, names, meant):
    assert {run.algorithm for run in read_runs(logs).of(names).runs} == meant


def test_the_page_loads_nothing(page):
    found = Page(page)
    assert found.open == []
    tags = {tag for tag, _ in found.tags}
    assert not tags & {"script", "link", "img", "iframe", "image", "object", "embed"}
    assert "svg" in tags
    links = [value for _, attrs in found.tags for name, value in attrs.items() if name in ("src", "href", "xlink:href")]
    assert links
    assert all(link.startswith("#") for link in links)
    assert "url(" not in page.replace("url(#", "")
    assert "@import" not in page


def test_links_within_the_page_lead_somewhere_and_ids_are_unique(page):
    found = Page(page)
    ids = [attrs["id"] for _, attrs in found.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {v[1:] for _, attrs in found.tags for name, v in attrs.items() if name.endswith("href") and v}
    assert targets <= set(ids)


def test_the_page_is_for_light_and_dark_and_for_phones(page):
    assert 'name="viewport"' in page
    assert "light-dark(" in page
    assert "currentColor" in page
    assert "#1b1c1e" not in page.split("</style>")[1]  # ink would be unseen on black


def test_odd_names_are_escaped(page, report):
    assert "<b>odd" not in page
    assert "&lt;b&gt;odd&lt;/b&gt;|$x$" in page
    assert "odd</b>\\|$x$" in report["report.md"].read_text()


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("5 algorithms on 6 problems of 3 families, 4 seeds", id="what was measured"),
        pytest.param("One trial at a time, 4 algorithms on 6 problems", id="the full ranking"),
        pytest.param("One trial at a time, 5 algorithms on 3 problems", id="with the slow one, on what it completed"),
        pytest.param("8 trials at a time, 4 algorithms on 6 problems", id="several workers apart"),
        pytest.param("Best mean rank: bayesianoptimization at 25 trials with 1.", id="who leads"),
        pytest.param("The worst place of bayesianoptimization in a family is 1 of 4", id="where ours is worst"),
        pytest.param("bayesianoptimization reaches what optuna-tpe has after 100 trials in", id="speed"),
        pytest.param("Trials to reach what optuna-tpe has after 100", id="trials to reach"),
        pytest.param("could not start", id="not applicable"),
        pytest.param("ended after 30 to 30 trials", id="ended early"),
        pytest.param("several objectives", id="why"),
        pytest.param("Files that are no logs", id="unreadable files"),
        pytest.param("the best that any run saw: zdt1", id="whose best nobody knows"),
        pytest.param("failures, last third", id="waste"),
    ],
)
def test_both_pages_say(words, page, report):
    assert words in page
    assert words in report["report.md"].read_text()


def test_findings_say_where_ours_falls_short(tmp_path):
    skills = {"bayesianoptimization": 1.0, "random": 0.2, "rival": 2.5}
    study = study_of(read_runs(write_logs(tmp_path, contest(skills, PROBLEMS[:4], 4, 30))))
    (found,) = findings(study)
    assert found.about == "One trial at a time, 3 algorithms on 4 problems"
    assert "Best mean rank: rival at 25 trials with 1." in found.text
    assert "bayesianoptimization is 2 of 3, 0." in found.text or "bayesianoptimization is 2 of 3, 1." in found.text
    assert found.text.endswith("in a family is 2 of 3 (bbob 2 … 2 in 95 % of resamples).")


def test_the_tables_of_the_markdown_page_are_tables(report):
    lines = report["report.md"].read_text().splitlines()
    rules = [i for i, line in enumerate(lines) if line.startswith("| ---")]
    assert len(rules) > 15
    for i in rules:
        width = lines[i].count(" |")
        assert lines[i - 2] == ""
        assert lines[i - 1].startswith("|")
        assert lines[i + 1].startswith("|")
        assert lines[i - 1].count(" |") == width


def test_spreadsheets(report):
    problems = list(csv.DictReader(report["problems.csv"].open()))
    ranks = list(csv.DictReader(report["ranks.csv"].open()))
    ours = [r for r in problems if (r["problem"], r["algorithm"]) == ("sphere-1d", "bayesianoptimization")]
    assert [(r["workers"], r["trials"], r["seeds"]) for r in ours] == [
        (w, t, "4") for w in "18" for t in ("25", "50", "100")
    ]
    for row in problems:
        assert float(row["low"]) <= float(row["regret"]) <= float(row["high"])
    whole = [r for r in ranks if (r["workers"], r["ranking"], r["family"], r["trials"]) == ("1", "1", "all", "100")]
    assert {r["algorithm"] for r in whole} == {*SKILLS} - {"hebo"}
    assert sum(float(r["mean_rank"]) for r in whole) == pytest.approx(1 + 2 + 3 + 4, abs=1e-4)
    best = min(whole, key=lambda r: float(r["mean_rank"]))
    assert (best["algorithm"], best["p_against_best"]) == ("bayesianoptimization", "")
    assert next(r for r in whole if r["algorithm"] == "random")["worse_by_interval"] == "true"
    common = {r["trials"]: r["problems"] for r in ranks if r["ranking"] == "2" and r["family"] == "all"}
    assert common == {"25": "4", "50": "3", "100": "3"}  # the run that ended after 30 counts before


@pytest.mark.slow
def test_the_same_logs_give_the_same_files(logs, report, tmp_path):
    again = {path.name: path for path in write_report(logs, tmp_path)}
    assert {*again} == {*report}
    assert [name for name in again if again[name].read_bytes() != report[name].read_bytes()] == []


@pytest.mark.parametrize(
    "found",
    [
        pytest.param([run_log([0.5])], id="one trial"),
        pytest.param([run_log([0.5]), run_log([0.4], algorithm="tpe")], id="two algorithms, one trial"),
        pytest.param([run_log((), error="no"), run_log((), algorithm="tpe", error="no")], id="errors alone"),
        pytest.param([run_log([None] * 30), run_log([None] * 30, algorithm="tpe")], id="failures alone"),
        pytest.param(
            [run_log([0.0] * 30, algorithm=a, seed=s) for a in ("tpe", "random", "b") for s in (0, 1)], id="all alike"
        ),
        pytest.param([run_log([0.5], problem="p"), run_log([0.4], algorithm="tpe")], id="nothing in common"),
        pytest.param(
            [run_log(best=1.0, worst=(1.0, 1.0), algorithm=a, trials=(trial(0.5, 0.5),)) for a in "ab"], id="a front"
        ),
    ],
)
def test_few_logs_make_a_report_too(found, tmp_path):
    paths = write_report(write_logs(tmp_path / "logs", found), tmp_path)
    text = paths[0].read_text()
    assert "nan" not in text.lower().replace("nanos", "")
    assert Page(text).open == []


def test_no_logs_are_an_error(tmp_path):
    with pytest.raises(PermanentError, match="no finished run below"):
        write_report(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_what_is_missing_is_named(package, logs, tmp_path):
    code = (
        f"import sys; sys.modules[{package!r}] = None\nfrom pathlib import Path\n"
        "from benchmarks.search.report.write import write_report\n"
        f"write_report(Path({str(logs)!r}), Path({str(tmp_path / 'out')!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stderr.splitlines()[-1] == (
        f"katib.core.errors.MissingExtraError: package {package!r} is not installed; "
        "install it with: pip install 'katib-engine[bench]'"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("trials", "budgets"),
    [(0, ()), (7, (7,)), (25, (25,)), (110, (25, 50, 100)), (200, (25, 50, 100, 200)), (1000, (25, 50, 100, 200))],
)
def test_budgets(trials, budgets):
    assert budgets_of(trials) == budgets


def test_styles_are_distinct_and_ours_are_thick():
    names = {**dict.fromkeys(("bayesianoptimization", "auto", "tpe", "cmaes", "random"), True)}
    rivals = {f"rival-{i}": False for i in range(12)}
    styles = styles_of({**names, **rivals})
    assert list(styles)[:2] == ["bayesianoptimization", "auto"]
    assert len({(s.colour, s.dash) for s in styles.values()}) == len(styles)
    assert min(styles[n].width for n in ("auto", "tpe", "cmaes")) > max(styles[n].width for n in rivals)
    alone = styles_of({"bayesianoptimization": True, "rival-0": False})
    assert alone["bayesianoptimization"] == styles["bayesianoptimization"]


def test_what_is_ours_is_known_by_its_name_or_its_package(tmp_path):
    origins = {"tpe:seed=1": {}, "mine.module:Mine": {"katib-engine": "1"}, "optuna-tpe": {"optuna": "5"}}
    logs = [run_log([1], algorithm=name, versions=versions) for name, versions in origins.items()]
    study = study_of(read_runs(write_logs(tmp_path, logs)))
    assert {name: style.ours for name, style in study.styles.items()} == {
        "tpe:seed=1": True,
        "mine.module:Mine": True,
        "optuna-tpe": False,
    }

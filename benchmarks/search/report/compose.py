"""The report as a document: its sections in order."""

from __future__ import annotations

from benchmarks.search.report.bootstrap import LEVEL, RESAMPLES
from benchmarks.search.report.cost_blocks import absence_blocks, seconds_blocks, waste_blocks
from benchmarks.search.report.document import (
    Block,
    Cell,
    Document,
    Entry,
    Item,
    Points,
    Section,
    Table,
    heads,
    name_cell,
)
from benchmarks.search.report.findings import findings
from benchmarks.search.report.rank_blocks import rank_blocks
from benchmarks.search.report.regret import FLOOR
from benchmarks.search.report.regret_blocks import reach_blocks, regret_blocks
from benchmarks.search.report.study import Setting, Study


def document_of(study: Study) -> Document:
    """Everything, drawn."""
    legend = tuple(Entry(name, style.colour, style.dasharray, style.ours) for name, style in study.styles.items())
    sections = [Section("What came out", (Points(findings(study)),))]
    sections += [section for setting in study.settings for section in _setting_sections(study, setting)]
    sections += [
        Section("Seconds per suggestion", tuple(seconds_blocks(study))),
        Section("Wasted trials", tuple(waste_blocks(study))),
        Section("Errors and absences", tuple(absence_blocks(study)) or (_points("All runs came to their end."),)),
        Section("How the numbers are made", (_points(*_method(study)), _versions(study))),
    ]
    return Document("Search algorithms compared", _lead(study), legend, tuple(s for s in sections if s.blocks))


def _setting_sections(study: Study, setting: Setting) -> list[Section]:
    ranks: list[Block] = rank_blocks(study, setting)
    if not ranks:
        ranks = [_points("No two algorithms completed a common problem, so there is nothing to rank.")]
    return [
        Section(f"{setting.title}: ranks", tuple(ranks)),
        Section(f"{setting.title}: trials to reach", tuple(reach_blocks(study, setting))),
        Section(f"{setting.title}: regret", tuple(regret_blocks(study, setting))),
    ]


def _points(*sentences: str) -> Points:
    return Points(tuple(Item("", sentence) for sentence in sentences))


def _lead(study: Study) -> str:
    runs = study.runs
    problems, families = len({r.problem for r in runs}), len({r.family for r in runs})
    seeds, budgets = len({r.seed for r in runs}), sorted({r.budget for r in runs})
    span = f"{budgets[0]}" if len(budgets) == 1 else f"{budgets[0]} to {budgets[-1]}"
    machines = ", ".join(sorted({r.machine for r in runs}))
    return (
        f"{len(study.algorithms)} algorithms on {problems} problems of {families} families, {seeds} seeds, "
        f"{span} trials a run, {len(runs):,} runs in all. Measured on: {machines}."
    )


def _method(study: Study) -> tuple[str, ...]:
    seen = sorted({name for setting in study.settings for name in setting.regrets.best_seen})
    sentences = [
        "Regret of one objective: (best true feasible loss so far − best) / (typical − best). Typical is the median "
        "loss of random points. Noise is left out: algorithms are judged by true values.",
        "Regret of several objectives: the share of the best hypervolume that is still missing.",
        "A run without a feasible trial so far has the worst regret that any run had on that problem, and at least 1. "
        f"Regrets below {FLOOR:g} count as {FLOOR:g}.",
        "Trials count in the order in which they were proposed.",
        f"Intervals are {LEVEL:.0%} percentile bootstrap intervals of {RESAMPLES:,} resamples (Efron & Tibshirani "
        "1993, chapter 13).",
        "Ranks are taken among the algorithms on one problem with one seed, ties shared, then averaged over seeds and "
        "problems. A problem counts for those who completed every run of it; seeds count that all of them have.",
        "Tests after Demšar 2006 (JMLR 7): Wilcoxon's signed-rank test corrected after Holm, Friedman's test, and "
        "Nemenyi's critical difference, all with problems as the cases.",
    ]
    if seen:
        sentences.append(f"Nobody knows the best of these, so it is the best that any run saw: {', '.join(seen)}.")
    return tuple(sentences)


def _versions(study: Study) -> Table:
    rows = []
    for algorithm in study.algorithms:
        found = {pair for run in study.runs_of(algorithm) for pair in run.versions.items()}
        rows.append((name_cell(algorithm), Cell(", ".join(f"{name} {version}" for name, version in sorted(found)))))
    about = "The packages that were measured."
    return Table("Versions", about, heads("algorithm", "packages"), tuple(rows), folded=True, words=frozenset({1}))

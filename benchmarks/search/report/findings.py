"""What a reader wants to know first, as sentences made from the numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.search.report.document import Item
from benchmarks.search.report.numbers import between, rank_text, trials_text
from benchmarks.search.report.rank_blocks import main_of, scope
from benchmarks.search.report.ranks import positions
from benchmarks.search.report.reach import REFERENCE, REFERENCE_TRIALS
from benchmarks.search.report.study import Ranking, Setting, Study


def findings(study: Study) -> tuple[Item, ...]:
    """For each ranking: who leads, whom it leads by more than chance, where ours is worst; then how fast ours is."""
    return tuple(item for setting in study.settings for item in _of_setting(study, setting))


def _of_setting(study: Study, setting: Setting) -> Iterator[Item]:
    for ranking in setting.rankings:
        main = main_of(setting, ranking)
        sentences = [_leaders(ranking), _margin(ranking, main), *_ours(study, ranking, main)]
        yield Item(f"{setting.title}, {scope(ranking, main)}", " ".join(sentences))
    if (speed := _speed(study, setting)) is not None:
        yield Item(f"{setting.title}, speed", speed)


def _leaders(ranking: Ranking) -> str:
    parts = []
    for budget, found in ranking.ranks.items():
        best = int(np.argmin(found.mean))
        bounds = between(rank_text(found.low[best]), rank_text(found.high[best]))
        parts.append(f"{ranking.algorithms[best]} at {budget} trials with {rank_text(found.mean[best])} ({bounds})")
    return f"Best mean rank: {'; '.join(parts)}."


def _margin(ranking: Ranking, main: int) -> str:
    compared = ranking.comparisons[main]
    best = ranking.algorithms[compared.best]
    count, worse, confirmed = len(ranking.algorithms) - 1, int(compared.worse.sum()), int(compared.confirmed.sum())
    sentence = (
        f"At {main} trials {best} is better than {worse} of the other {count} by the bootstrap interval, than "
        f"{confirmed} by Wilcoxon's test too."
    )
    alike = [name for a, name in enumerate(ranking.algorithms) if a != compared.best and not compared.worse[a]]
    return f"{sentence} Not separable from it: {', '.join(alike)}." if alike else sentence


def _ours(study: Study, ranking: Ranking, main: int) -> list[str]:
    """Where the best ranked one of ours stands, how far behind the best, and its worst family."""
    found, compared = ranking.ranks[main], ranking.comparisons[main]
    own = [a for a, name in enumerate(ranking.algorithms) if study.styles[name].ours]
    if not own:
        return []
    ours = min(own, key=lambda a: float(found.mean[a]))
    name, count = ranking.algorithms[ours], len(ranking.algorithms)
    sentences = []
    if ours != compared.best:
        bounds = between(f"{compared.low[ours]:+.2f}", f"{compared.high[ours]:+.2f}")
        sentences.append(
            f"{name} is {positions(found.mean)[ours]} of {count}, {compared.difference[ours]:.2f} behind ({bounds})."
        )
    worst = max(family.place[ours] for family in found.by_family.values())
    where = ", ".join(
        f"{title} {between(str(family.low[ours]), str(family.high[ours]))}"
        for title, family in found.by_family.items()
        if family.place[ours] == worst
    )
    sentences.append(f"The worst place of {name} in a family is {worst} of {count} ({where} in 95 % of resamples).")
    return sentences


def _speed(study: Study, setting: Setting) -> str | None:
    """Of our quickest one, if the reference was run."""
    found, names = setting.reach, setting.regrets.algorithms
    if found is None:
        return None
    own = [a for a, name in enumerate(names) if study.styles[name].ours and not np.isnan(found.median[a])]
    if not own:
        return None
    best = min(own, key=lambda a: float(found.median[a]))
    bounds = between(trials_text(found.median_low[best]), trials_text(found.median_high[best]))
    count = int((~np.isnan(found.trials[best])).sum())
    return (
        f"{names[best]} reaches what {REFERENCE} has after {REFERENCE_TRIALS} trials in "
        f"{trials_text(found.median[best])} (median over {count} problems, {bounds})."
    )

"""Reads every record of a store in one snapshot and names what is damaged: checksums, counts, orphans, order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy.sql import Executable

from katib.core.changes import Recorded
from katib.core.errors import CorruptRecordError, PermanentError
from katib.core.trial import Trial
from katib.storage import document_tables
from katib.storage import observation_log_tables as log
from katib.storage import statements as sql
from katib.storage.database import Database, Session
from katib.storage.documents import DocumentRow
from katib.storage.findings import Damage, Report
from katib.storage.observation_log import read_row
from katib.storage.records import ExperimentRow, TrialRow, read_event, read_experiment, read_measurement, read_trial
from katib.storage.schema import VERSION
from katib.storage.version import stored_version

T = TypeVar("T")
TABLES = (
    "experiments",
    "definitions",
    "trials",
    "measurements",
    "events",
    "tombstones",
    "leases",
    "observation_log",
    "documents",
    "meta",
)


def check(database: Database) -> Report:
    """Read everything; writers need not wait. Raises NotFoundError, and
    PermanentError if the tables are not of this program's version."""
    database.must_exist()
    with database.translated_errors(), database.engine.connect() as connection:
        version = stored_version(connection)
    if version != VERSION:
        found = "no tables" if version is None else f"version {version} of the tables, this program reads {VERSION}"
        raise PermanentError(f"database {database.name} has {found}; nothing was checked")
    with database.read() as session:
        inspection = _Inspection(database, session)
        inspection.run()
    return Report(database.name, version, inspection.rows, tuple(inspection.damages))


class _Inspection:
    """One walk through the tables."""

    def __init__(self, database: Database, session: Session) -> None:
        self._database = database
        self._session = session
        self.rows = dict.fromkeys(TABLES, 0)
        self.damages: list[Damage] = []

    def run(self) -> None:
        """All of it."""
        head = self._head()
        experiments = [ExperimentRow(*row) for row in self._all("experiments", "all experiments", sql.ALL_EXPERIMENTS)]
        for row in experiments:
            self._experiment(row)
        touched = [(row.revision, f"experiment {row.key}") for row in experiments]
        for namespace, name, revision in self._all("tombstones", "all tombstones", sql.ALL_TOMBSTONES):
            touched.append((revision, f"the deletion of experiment {namespace}/{name}"))
        for columns in self._all("documents", "all documents", document_tables.ALL):
            document = DocumentRow(*columns)
            if not document.deleted:
                self._readable("documents", f"document {document.key}", document.document)
            touched.append((document.revision, f"document {document.key}"))
        self._revisions(touched, head)
        for namespace, name, fence in self._all("leases", "all leases", sql.ALL_LEASES):
            if fence < 1:
                self._damaged("leases", f"lease of {namespace}/{name}", f"fence {fence}, the first one is 1")
        for namespace, trial in self._all("", "the observation log", log.TRIALS):
            self._log(namespace, trial)
        for table, statement in sql.ORPHANS.items():
            for experiment, count in self._all("", f"orphans in {table}", statement):
                self._damaged(table, f"{count} rows of experiment {experiment}", "there is no such experiment")

    def _head(self) -> int:
        revisions = [revision for (revision,) in self._all("meta", "the count of revisions", sql.REVISION)]
        if len(revisions) != 1:
            self._damaged("meta", "the count of revisions", f"{len(revisions)} rows, expected one")
        return max(revisions, default=0)

    def _experiment(self, row: ExperimentRow) -> None:
        name = f"experiment {row.key}"
        definitions = self._all("definitions", f"definition of {name}", sql.DEFINITION_OF, id=row.id)
        if not definitions:
            self._damaged("definitions", name, "its definition is missing")
        for definition in definitions:
            self._readable("experiments", name, read_experiment, (*row, *definition))
        trials = self._trials(row)
        reports = self._measurements(row)
        self._order(row, trials, reports)
        self._reports(row, trials, reports)
        columns = self._all("events", f"events of {name}", sql.EVENTS_OF, id=row.id)
        for event in columns:
            self._readable("events", name, read_event, row.key, event)
            if not row.id <= event[1] <= row.revision:
                self._damaged("events", f"event {event[2]} of revision {event[1]} of {name}", "of no commit of it")
        for table, found in (("trials", len(trials)), ("measurements", len(reports)), ("events", len(columns))):
            written = getattr(row, table)
            if written != found:
                self._damaged(table, name, f"{written} {table} were written, {found} are there")

    def _trials(self, row: ExperimentRow) -> list[tuple[TrialRow, Trial | None]]:
        columns = self._all("trials", f"trials of experiment {row.key}", sql.TRIALS_OF, id=row.id)
        found = []
        for each in map(TrialRow._make, columns):
            trial = self._readable("trials", f"trial {each.namespace}/{each.name}", read_trial, each)
            found.append((each, trial))
        return found

    def _measurements(self, row: ExperimentRow) -> list[tuple[int, Recorded | None]]:
        """(trial number, measurement), None for one that cannot be read."""
        name = f"experiment {row.key}"
        columns = self._all("measurements", f"measurements of {name}", sql.MEASUREMENTS_OF, id=row.id)
        found = []
        for each in columns:
            read = self._readable("measurements", name, read_measurement, row.key, each)
            found.append((each[1], read and read[1]))
        return found

    def _order(
        self,
        row: ExperimentRow,
        trials: Sequence[tuple[TrialRow, Trial | None]],
        reports: Sequence[tuple[int, Recorded | None]],
    ) -> None:
        """Sequence numbers are the experiment's and used once; those of trials grow with the revision."""
        given = Counter(trial.seq for trial, _ in trials) + Counter(r.seq for _, r in reports if r)
        for seq, count in sorted(given.items()):
            if count > 1 or not 1 <= seq <= row.seq:
                wrong = f"sequence number {seq} was given to {count}, the last one given is {row.seq}"
                self._damaged("trials", f"experiment {row.key}", wrong)
        newest = row.id
        for trial, _ in trials:
            name = f"trial {trial.namespace}/{trial.name}"
            if not newest <= trial.revision <= row.revision:
                expected = f"expected {newest} to {row.revision}"
                self._damaged("trials", name, f"revision {trial.revision} is out of order, {expected}")
            if trial.namespace != row.namespace:
                self._damaged("trials", name, f"its experiment is {row.key}")
            newest = max(newest, trial.revision)

    def _reports(
        self,
        row: ExperimentRow,
        trials: Sequence[tuple[TrialRow, Trial | None]],
        reports: Sequence[tuple[int, Recorded | None]],
    ) -> None:
        """Measurements belong to trials, and each trial has as many of its current attempt as it says."""
        known = {trial.number for trial, _ in trials}
        for number in sorted({number for number, _ in reports} - known):
            self._damaged(
                "measurements", f"measurements of trial number {number} of experiment {row.key}", "no such trial"
            )
        there = Counter((number, report.attempt) for number, report in reports if report)
        for columns, trial in trials:
            found = there[columns.number, trial.attempt] if trial else 0
            if trial and found != trial.measured:
                name = f"trial {columns.namespace}/{columns.name}"
                self._damaged(
                    "measurements", name, f"{trial.measured} of attempt {trial.attempt} were written, {found} are there"
                )

    def _log(self, namespace: str, trial: str) -> None:
        name = f"observation log of trial {namespace}/{trial}"
        rows = self._all("observation_log", name, log.ROWS_OF_TRIAL, namespace=namespace, trial=trial)
        for row in rows:
            self._readable("observation_log", name, read_row, row)
        if rows and rows[-1][2] != len(rows) - 1:
            self._damaged("observation_log", name, f"{rows[-1][2] + 1} rows were written, {len(rows)} are there")

    def _revisions(self, touched: Iterable[tuple[int, str]], head: int) -> None:
        """A commit touches one experiment, so no two have the same last revision, and none is beyond the newest."""
        names: dict[int, str] = {}
        for revision, name in sorted(touched):
            if revision > head:
                self._damaged("meta", name, f"revision {revision}, but {head} is the newest")
            if revision in names:
                self._damaged("meta", name, f"revision {revision} is that of {names[revision]} too")
            names[revision] = name

    def _all(self, table: str, what: str, statement: Executable, **values: Any) -> list[tuple[Any, ...]]:
        """Every row; none if they cannot even be read."""
        try:
            rows = self._session.all(statement, **values)
        except Exception as error:
            if self._database.kind_of_error(error) is not CorruptRecordError:
                raise
            self._damaged(table, what, self._database.words_of_error(error))
            return []
        if table:
            self.rows[table] += len(rows)
        return rows

    def _readable(self, table: str, name: str, read: Callable[..., T], *arguments: Any) -> T | None:
        """What ``read`` makes of the arguments, None if that is damaged."""
        try:
            return read(*arguments)
        except CorruptRecordError as error:
            record, separator, text = str(error).partition(": ")
            self._damaged(table, record if separator else name, text or str(error))
            return None

    def _damaged(self, table: str, record: str, text: str) -> None:
        self.damages.append(Damage(table, record, text))

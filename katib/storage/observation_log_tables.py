"""The tables of the observation log, and every statement on them.

They know trials by name alone, since trials of other engines are logged too; so nothing here refers to an experiment.
``sequence`` is given out under the lock on the row of ``meta``, as revisions are: what is read up to a sequence is
complete up to it, and a cursor never passes over a row that is committed later.
"""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, String, Table, and_, bindparam, delete, func, insert, select

from katib.storage.schema import BIG, MYSQL, NAME, TEXT, metadata

observation_log = Table(
    "observation_log",
    metadata,
    Column("namespace", NAME, primary_key=True),
    Column("trial", NAME, primary_key=True),
    Column("sequence", BIG, primary_key=True, autoincrement=False),
    Column("attempt", BIG, nullable=False),
    Column("metric", NAME, nullable=False),
    Column("time", Double, nullable=False),
    Column("report", String(64), nullable=False, index=True),
    Column("record", TEXT, nullable=False),
    Column("checksum", BIG, nullable=False),
    Index(None, "namespace", "trial", "metric", "time"),
    comment="metrics that came over the network, also of trials that are not in this database",
    **MYSQL,
)

early_stops = Table(
    "early_stops",
    metadata,
    Column("namespace", NAME, primary_key=True),
    Column("trial", NAME, primary_key=True),
    Column("attempt", BIG, primary_key=True, autoincrement=False),
    comment="attempts that were reported as ended by an early-stopping rule",
    **MYSQL,
)

_l, _s = observation_log.c, early_stops.c
_OF_TRIAL = and_(_l.namespace == bindparam("namespace"), _l.trial == bindparam("trial"))
_STOP_OF_TRIAL = and_(_s.namespace == bindparam("namespace"), _s.trial == bindparam("trial"))

NEXT_SEQUENCE = select(func.max(_l.sequence)).where(_OF_TRIAL)
KNOWN_REPORT = select(_l.sequence).where(_l.report == bindparam("report"), _OF_TRIAL).limit(1)
ADD_ROW = insert(observation_log)
ROWS = (
    select(*observation_log.columns)
    .where(_OF_TRIAL, _l.time >= bindparam("start"), _l.time <= bindparam("end"))
    .order_by(_l.time, _l.sequence)
)
ROWS_OF_METRIC = ROWS.where(_l.metric == bindparam("metric"))
NEWS = (
    select(*observation_log.columns)
    .where(_OF_TRIAL, _l.sequence >= bindparam("first"), _l.attempt == bindparam("attempt"))
    .order_by(_l.sequence)
    .limit(bindparam("limit"))
)
TRIALS = select(_l.namespace, _l.trial).distinct()
ROWS_OF_TRIAL = select(*observation_log.columns).where(_OF_TRIAL).order_by(_l.sequence)
DELETE_ROWS = delete(observation_log).where(_OF_TRIAL)

STOPS = select(_s.attempt).where(_STOP_OF_TRIAL)
STOP = STOPS.where(_s.attempt == bindparam("attempt"))
ADD_STOP = insert(early_stops)
DELETE_STOPS = delete(early_stops).where(_STOP_OF_TRIAL)

"""Every statement that the store runs, in SQLAlchemy Core: the portable part of SQL, nothing of one database alone."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from katib.storage.schema import (
    definitions,
    events,
    experiments,
    leases,
    measurements,
    meta,
    tombstones,
    trials,
)

_e, _d, _t, _m, _l = experiments.c, definitions.c, trials.c, measurements.c, leases.c
_SINCE: BindParameter[int] = bindparam("since")
_LIMIT: BindParameter[int] = bindparam("limit")


def _named(columns: ReadOnlyColumnCollection[str, Column[Any]]) -> ColumnElement[bool]:
    """The row that the parameters ``namespace`` and ``name`` tell."""
    return and_(columns["namespace"] == bindparam("namespace"), columns["name"] == bindparam("name"))


_CHANGING = ("generation", "seq", "revision", "trials", "measurements", "events", "status", "checksum")

# Commits. BUMP locks the one row of meta until the transaction ends; LOCK does so without a new revision (in SQLite
# the transaction's own beginning has locked everything by then).
BUMP = update(meta).values(revision=meta.c.revision + 1)
LOCK = select(meta.c.revision).with_for_update()
HEAD = select(meta.c.revision, _l.fence, *experiments.columns).select_from(
    meta.outerjoin(experiments, _named(_e)).outerjoin(leases, _named(_l))
)
ADD_EXPERIMENT = insert(experiments)
SET_EXPERIMENT = (
    update(experiments).where(_e.id == bindparam("id")).values({name: bindparam(name) for name in _CHANGING})
)
ADD_DEFINITION = insert(definitions)
SET_DEFINITION = (
    update(definitions)
    .where(_d.experiment == bindparam("experiment"))
    .values({name: bindparam(name) for name in ("record", "checksum")})
)
ADD_TRIAL = insert(trials)
TRIAL_NAME = select(_t.number).where(_named(_t))
SET_TRIAL = (
    update(trials)
    .where(_t.experiment == bindparam("experiment"), _t.number == bindparam("number"), _t.name == bindparam("name"))
    .values({name: bindparam(name) for name in ("seq", "revision", "record", "checksum")})
)
ADD_MEASUREMENT = insert(measurements)
ADD_EVENT = insert(events)

# Deletion.
_PARTS = (events.c.experiment, _m.experiment, _t.experiment, _d.experiment, _e.id)
DELETE_ALL = tuple(delete(column.table).where(column == bindparam("id")) for column in _PARTS)
SET_TOMBSTONE = update(tombstones).where(_named(tombstones.c)).values(revision=bindparam("revision"))
ADD_TOMBSTONE = insert(tombstones)

# Leases.
LEASE = select(_l.holder, _l.fence, _l.expires).where(_named(_l))
ADD_LEASE = insert(leases)
SET_LEASE = update(leases).where(_named(_l)).values({name: bindparam(name) for name in ("holder", "fence", "expires")})

# Reads.
_EXPERIMENT = select(*experiments.columns, _d.record, _d.checksum.label("definition_checksum")).select_from(
    experiments.join(definitions, _d.experiment == _e.id)
)
EXPERIMENT = _EXPERIMENT.where(_named(_e))
EXPERIMENT_ROW = select(*experiments.columns).where(_named(_e))
_AFTER = or_(
    _e.namespace > bindparam("after_namespace"),
    and_(_e.namespace == bindparam("after_namespace"), _e.name > bindparam("after_name")),
)
EXPERIMENTS = _EXPERIMENT.where(_AFTER).order_by(_e.namespace, _e.name).limit(_LIMIT)
EXPERIMENTS_OF = EXPERIMENTS.where(_e.namespace == bindparam("namespace"))
_TRIAL = select(*trials.columns).select_from(trials.join(experiments, _e.id == _t.experiment))
_OF_EXPERIMENT = and_(_e.namespace == bindparam("namespace"), _e.name == bindparam("experiment_name"))
TRIALS = _TRIAL.where(_OF_EXPERIMENT, _t.seq > _SINCE).order_by(_t.seq)
NUMBERED = _TRIAL.where(_OF_EXPERIMENT, _t.number >= bindparam("start")).order_by(_t.number).limit(_LIMIT)
TRIAL = _TRIAL.where(_OF_EXPERIMENT, _t.namespace == bindparam("namespace"), _t.name == bindparam("name"))
_MEASUREMENT = (
    select(*measurements.columns)
    .select_from(measurements.join(experiments, _e.id == _m.experiment))
    .where(_OF_EXPERIMENT)
)
CURVES = _MEASUREMENT.where(_m.seq > _SINCE).order_by(_m.seq)
# Found by the key alone. A plain comparison or an order by seq would tempt SQLite into the index of all trials' seqs.
CURVE = _MEASUREMENT.where(_m.number == bindparam("number"), _m.seq - _SINCE > 0)
EVENTS = (
    select(*events.columns)
    .select_from(events.join(experiments, _e.id == events.c.experiment))
    .where(_OF_EXPERIMENT)
    .order_by(events.c.revision.desc(), events.c.position.desc())
    .limit(_LIMIT)
)

# The change feed.
REVISION = select(meta.c.revision)
TOUCHED_EXPERIMENTS = select(*experiments.columns).where(_e.revision > _SINCE)
TOUCHED_TRIALS = (
    select(*trials.columns)
    .where(_t.experiment == bindparam("id"), _t.seq < bindparam("before"))
    .order_by(_t.seq.desc())
    .limit(_LIMIT)
)
DELETED = select(tombstones.c.namespace, tombstones.c.name, tombstones.c.revision).where(tombstones.c.revision > _SINCE)

# The check of everything. Orphans: (experiment's id, how many rows) that belong to no experiment.
ALL_EXPERIMENTS = select(*experiments.columns).order_by(_e.namespace, _e.name)
ALL_TOMBSTONES = select(tombstones.c.namespace, tombstones.c.name, tombstones.c.revision)
ALL_LEASES = select(_l.namespace, _l.name, _l.fence)
DEFINITION_OF = select(_d.record, _d.checksum).where(_d.experiment == bindparam("id"))
TRIALS_OF = select(*trials.columns).where(_t.experiment == bindparam("id")).order_by(_t.seq)
MEASUREMENTS_OF = select(*measurements.columns).where(_m.experiment == bindparam("id")).order_by(_m.seq)
EVENTS_OF = select(*events.columns).where(events.c.experiment == bindparam("id"))
ORPHANS = {
    table.name: select(table.c.experiment, func.count())
    .where(table.c.experiment.not_in(select(_e.id)))
    .group_by(table.c.experiment)
    for table in (definitions, trials, measurements, events)
}

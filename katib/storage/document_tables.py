"""The table of documents, and every statement on it. A row outlives its document, as the last deletion of its key."""

from __future__ import annotations

from sqlalchemy import Column, Double, String, Table, and_, bindparam, insert, select, update

from katib.storage.schema import BIG, MYSQL, NAME, TEXT, metadata

KIND = String(64)

documents = Table(
    "documents",
    metadata,
    Column("kind", KIND, primary_key=True),
    Column("namespace", NAME, primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("deleted", BIG, nullable=False),
    Column("revision", BIG, nullable=False, index=True),
    Column("generation", BIG, nullable=False),
    Column("uid", String(64), nullable=False),
    Column("created", Double, nullable=False),
    Column("record", TEXT, nullable=False),
    Column("checksum", BIG, nullable=False),
    comment="documents beside the experiments; deleted ones stay, without content, for the change feed",
    **MYSQL,
)

_d = documents.c
_NAMED = and_(_d.kind == bindparam("kind"), _d.namespace == bindparam("namespace"), _d.name == bindparam("name"))
_KEYS = ("kind", "namespace", "name")

ROW = select(*documents.columns).where(_NAMED)
ROWS_OF_KIND = (
    select(*documents.columns).where(_d.kind == bindparam("kind"), _d.deleted == 0).order_by(_d.namespace, _d.name)
)
ADD = insert(documents)
_CHANGING = [column.name for column in documents.columns if column.name not in _KEYS]
SET = update(documents).where(_NAMED).values({name: bindparam(name) for name in _CHANGING})
TOUCHED = select(_d.revision, _d.kind, _d.namespace, _d.name, _d.deleted).where(_d.revision > bindparam("since"))
ALL = select(*documents.columns).order_by(_d.kind, _d.namespace, _d.name)

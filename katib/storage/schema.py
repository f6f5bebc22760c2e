"""The tables. What must be unique is unique by the schema, so no bug and no second writer can break it.

What any process edits (``definitions``) and what the owner records (``experiments.status``, trials, measurements,
events) are different rows, so neither writes the other's, and a trial's commit does not write a large document again.
No foreign keys: every row is written and deleted by one function each, in one transaction, and the checks would
cost each commit a look-up per row. An experiment's id is the revision that created it: never used twice. Its row counts
the rows of the other tables that belong to it, so that one that went missing is noticed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, String, Table, Text, UniqueConstraint
from sqlalchemy.dialects.mysql import LONGTEXT

#: The Alembic revision that this code reads and writes: four digits, one more with each migration.
VERSION = "0003"
VERSION_TABLE = "katib_schema"
#: There while the first tables are being made in a database where that cannot be one transaction.
MAKING_TABLE = "katib_making"

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# The longest name that Kubernetes allows. Compared and ordered by its bytes, as Python does, in every database.
NAME = String(253).with_variant(String(253, collation="C"), "postgresql")
BIG = BigInteger()
TEXT = Text().with_variant(LONGTEXT(), "mysql")  # a plain one ends at 64 KiB there
MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_ROWID = BigInteger().with_variant(Integer(), "sqlite")  # in SQLite only INTEGER keys are the row's own address

meta = Table(
    "meta",
    metadata,
    Column("id", _ROWID, primary_key=True, autoincrement=False),
    Column("revision", BIG, nullable=False),
    comment="one row; every commit locks it first, so revisions are in commit order",
    **MYSQL,
)

experiments = Table(
    "experiments",
    metadata,
    Column("id", _ROWID, primary_key=True, autoincrement=False),
    Column("namespace", NAME, nullable=False),
    Column("name", NAME, nullable=False),
    Column("uid", String(64), nullable=False),
    Column("generation", BIG, nullable=False),
    Column("seq", BIG, nullable=False),
    Column("revision", BIG, nullable=False),
    Column("trials", BIG, nullable=False),
    Column("measurements", BIG, nullable=False),
    Column("events", BIG, nullable=False),
    Column("status", TEXT, nullable=False),
    Column("checksum", BIG, nullable=False),
    UniqueConstraint("namespace", "name"),
    Index(None, "revision"),
    **MYSQL,
)

definitions = Table(
    "definitions",
    metadata,
    Column("experiment", _ROWID, primary_key=True, autoincrement=False),
    Column("record", TEXT, nullable=False),
    Column("checksum", BIG, nullable=False),
    **MYSQL,
)

trials = Table(
    "trials",
    metadata,
    Column("experiment", BIG, primary_key=True, autoincrement=False),
    Column("number", BIG, primary_key=True, autoincrement=False),
    Column("namespace", NAME, nullable=False),
    Column("name", NAME, nullable=False),
    Column("seq", BIG, nullable=False),
    Column("revision", BIG, nullable=False),
    Column("record", TEXT, nullable=False),
    Column("checksum", BIG, nullable=False),
    UniqueConstraint("namespace", "name"),
    Index(None, "experiment", "seq", unique=True),
    **MYSQL,
)

measurements = Table(
    "measurements",
    metadata,
    Column("experiment", BIG, primary_key=True, autoincrement=False),
    Column("number", BIG, primary_key=True, autoincrement=False),
    Column("attempt", BIG, primary_key=True, autoincrement=False),
    Column("sequence", BIG, primary_key=True, autoincrement=False),
    Column("seq", BIG, nullable=False),
    Column("record", TEXT, nullable=False),
    Column("checksum", BIG, nullable=False),
    Index(None, "experiment", "seq", unique=True),
    sqlite_with_rowid=False,  # rows are short and read in order of the key: one tree instead of two
    **MYSQL,
)

events = Table(
    "events",
    metadata,
    Column("experiment", BIG, primary_key=True, autoincrement=False),
    Column("revision", BIG, primary_key=True, autoincrement=False),
    Column("position", BIG, primary_key=True, autoincrement=False),
    Column("record", TEXT, nullable=False),
    Column("checksum", BIG, nullable=False),
    sqlite_with_rowid=False,
    **MYSQL,
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("namespace", NAME, primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("revision", BIG, nullable=False, index=True),
    comment="the last deletion under each name, for the change feed",
    **MYSQL,
)

leases = Table(
    "leases",
    metadata,
    Column("namespace", NAME, primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("holder", TEXT, nullable=False),
    Column("fence", BIG, nullable=False),
    Column("expires", Double, nullable=False),
    comment="outlives the experiment, so that a former owner's fence stays old",
    **MYSQL,
)

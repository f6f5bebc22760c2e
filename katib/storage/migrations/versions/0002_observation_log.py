"""The observation log: what the DBManager service is told."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

revision = "0002"
down_revision = "0001"

_NAME = sa.String(253).with_variant(sa.String(253, collation="C"), "postgresql")
_TEXT = sa.Text().with_variant(LONGTEXT(), "mysql")
_MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "observation_log",
        sa.Column("namespace", _NAME, nullable=False),
        sa.Column("trial", _NAME, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("metric", _NAME, nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("report", sa.String(length=64), nullable=False),
        sa.Column("record", _TEXT, nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "trial", "sequence", name=op.f("pk_observation_log")),
        comment="metrics that came over the network, also of trials that are not in this database",
        **_MYSQL,
    )
    op.create_index(op.f("ix_observation_log_report"), "observation_log", ["report"], unique=False)
    op.create_index(
        op.f("ix_observation_log_namespace_trial_metric_time"),
        "observation_log",
        ["namespace", "trial", "metric", "time"],
        unique=False,
    )
    op.create_table(
        "early_stops",
        sa.Column("namespace", _NAME, nullable=False),
        sa.Column("trial", _NAME, nullable=False),
        sa.Column("attempt", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("namespace", "trial", "attempt", name=op.f("pk_early_stops")),
        comment="attempts that were reported as ended by an early-stopping rule",
        **_MYSQL,
    )

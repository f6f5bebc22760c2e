"""The observation log: what the DBManager service is told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "observation_log",
        sa.Column("namespace", sa.String(length=253), nullable=False),
        sa.Column("trial", sa.String(length=253), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("metric", sa.String(length=253), nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("report", sa.String(length=64), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "trial", "sequence", name=op.f("pk_observation_log")),
        comment="metrics that came over the network, also of trials that are not in this database",
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
        sa.Column("namespace", sa.String(length=253), nullable=False),
        sa.Column("trial", sa.String(length=253), nullable=False),
        sa.Column("attempt", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("namespace", "trial", "attempt", name=op.f("pk_early_stops")),
        comment="attempts that were reported as ended by an early-stopping rule",
    )

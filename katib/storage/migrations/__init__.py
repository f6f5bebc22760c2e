"""Alembic's folder: how the tables of older versions become today's."""

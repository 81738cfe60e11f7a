"""Columns of the tables, in the few kinds that the journal uses, and their foreign keys."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKeyConstraint,
    LargeBinary,
    Numeric,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field


class Amount(TypeDecorator[int]):
    """numeric(78,0), wide enough for 256 bits, read as an integer."""

    impl = Numeric(78, 0)
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """Return an integer, whatever the driver made of it."""
        return None if value is None else int(value)


def text_column(
    *, key: bool = False, nullable: bool = False, unique: bool = False, name: str | None = None
) -> Any:
    """Return a column of text; `name` where the column's is no Python name."""
    return _column(Text(), key=key, nullable=nullable, unique=unique, name=name)


def int_column(*, key: bool = False, nullable: bool = False, unique: bool = False) -> Any:
    """Return a column of 64-bit integers."""
    return _column(BigInteger(), key=key, nullable=nullable, unique=unique)


def amount_column(*, nullable: bool = False) -> Any:
    """Return a column of atoms."""
    return _column(Amount(), key=False, nullable=nullable, unique=False)


def bytes_column(*, key: bool = False, nullable: bool = False, unique: bool = False) -> Any:
    """Return a column of bytes."""
    return _column(LargeBinary(), key=key, nullable=nullable, unique=unique)


def json_column(*, nullable: bool = False) -> Any:
    """Return a column of JSON."""
    return _column(JSONB(), key=False, nullable=nullable, unique=False)


def flag_column() -> Any:
    """Return a column of booleans."""
    return _column(Boolean(), key=False, nullable=False, unique=False)


def references(table: str, *columns: str, to: tuple[str, ...] = ()) -> ForeignKeyConstraint:
    """Return a foreign key from columns to those of the same name, or to `to`."""
    return ForeignKeyConstraint(columns, [f"{table}.{name}" for name in to or columns])


def _column(kind: Any, *, key: bool, nullable: bool, unique: bool, name: str | None = None) -> Any:
    column: Column[Any] = Column(
        name, kind, primary_key=key, nullable=nullable, unique=unique or None, autoincrement=False
    )
    return Field(sa_column=column)

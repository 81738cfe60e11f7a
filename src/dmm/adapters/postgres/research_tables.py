"""Searches of parameters as rows; see `tables`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index
from sqlmodel import SQLModel

from dmm.adapters.postgres.columns import (
    bytes_column,
    int_column,
    json_column,
    references,
    text_column,
)


class ParameterSearchRow(SQLModel, table=True):
    """A search of parameters, by its content."""

    __tablename__ = "parameter_search"
    search_id: str = text_column(key=True)
    spec: dict[str, Any] = json_column()
    pieces: int = int_column()
    opened_at_ns: int = int_column()


class ParameterSearchPieceRow(SQLModel, table=True):
    """What some sets of a search did on one recording."""

    __tablename__ = "parameter_search_piece"
    __table_args__ = (references("parameter_search", "search_id"),)
    search_id: str = text_column(key=True)
    number: int = int_column(key=True)
    digest: bytes = bytes_column()
    body: bytes = bytes_column()


class PolicyCandidateRow(SQLModel, table=True):
    """A policy that a search proposed."""

    __tablename__ = "policy_candidate"
    __table_args__ = (
        references("parameter_search", "search_id"),
        Index("policy_candidate_proposed", "proposed_at_ns"),
    )
    candidate_id: bytes = bytes_column(key=True)
    search_id: str = text_column()
    body: dict[str, Any] = json_column()
    proposed_at_ns: int = int_column()

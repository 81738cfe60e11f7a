"""Market data: recordings and live feeds."""

from dmm.adapters.feeds.tape import fingerprint, open_tape, read_columns, span

__all__ = ["fingerprint", "open_tape", "read_columns", "span"]

"""Market data: recordings and live feeds."""

from dmm.adapters.feeds.tape import fingerprint, open_tape, span

__all__ = ["fingerprint", "open_tape", "span"]

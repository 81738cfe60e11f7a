"""Market data: recordings and live feeds."""

"""Quoting algorithms for trading services."""

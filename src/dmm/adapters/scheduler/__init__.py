"""Prefect's REST interface."""

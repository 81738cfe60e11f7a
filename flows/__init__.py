"""Prefect flows: timetables of the epoch jobs."""

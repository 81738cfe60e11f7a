"""Executed orders, policy, and what only they may loosen."""

"""Rewards, budgets and buybacks."""

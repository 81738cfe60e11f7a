"""Estimators of volatility and order arrival."""

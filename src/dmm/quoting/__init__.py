"""Quotes from models: reservation price, spread, skew, ladder."""

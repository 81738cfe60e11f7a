"""Firm quotes to counterparties: canonical bytes, pricing."""

"""Takers as counterparties: what they are asked after they accepted a quote."""

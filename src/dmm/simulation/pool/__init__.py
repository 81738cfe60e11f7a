"""Liquidity positions in automated pools, replayed over recorded minutes."""

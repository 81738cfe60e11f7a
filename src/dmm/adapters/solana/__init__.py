"""Solana: the settlement program's clients over one or more RPC nodes."""

"""The public namespace of the trading SDK."""

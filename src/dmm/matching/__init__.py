"""A price-time order book that matches."""

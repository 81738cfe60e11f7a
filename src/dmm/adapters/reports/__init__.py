"""Reports people read."""

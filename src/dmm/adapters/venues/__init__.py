"""Trading venues."""

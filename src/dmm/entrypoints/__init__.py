"""Command line and processes: parsing and loops, no decisions."""

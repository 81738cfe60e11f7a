"""The demo under faults that follow from a seed: planned, injected, told, audited at the end."""

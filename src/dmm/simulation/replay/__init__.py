"""The replay engine: one pass over a tape, many parameter sets, every order of each simulated."""

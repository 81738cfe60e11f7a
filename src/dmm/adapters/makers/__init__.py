"""Other market makers, asked over HTTP."""

"""Statistics of experiments: what a grid of replays proves, and what it does not."""

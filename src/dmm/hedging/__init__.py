"""Which venue to hedge on, and how much."""

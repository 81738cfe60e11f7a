"""Fill models and seeded markets."""

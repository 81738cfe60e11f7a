"""Models of the literature: formulas from inputs in one unit of price to prices and depths."""

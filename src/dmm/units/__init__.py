"""Units of money, price, size and time, content-derived ids, and the tree of faults."""

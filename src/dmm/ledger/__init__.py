"""Double-entry books: accounts, postings, positions."""

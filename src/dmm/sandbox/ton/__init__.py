"""The local TON chain: the real TVM, blocks of our own, and liteservers for any client."""

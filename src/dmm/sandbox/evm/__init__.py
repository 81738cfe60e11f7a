"""The local EVM chain: a real node on loopback, our contracts, DEMO actors beside the desk."""

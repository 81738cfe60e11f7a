"""The local Solana node: our program on a real runtime behind the chain's own interface."""

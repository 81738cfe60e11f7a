"""What must happen on chain, and the states it goes through."""

"""EVM chains: pure codec, client, signing."""

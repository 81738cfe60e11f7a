"""TON through liteservers: chain, log, codec, and the keys of the signer processes."""

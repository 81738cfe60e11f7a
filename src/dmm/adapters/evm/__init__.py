"""EVM: codec is pure, client does I/O, sign holds keys and is wired into the signers only."""

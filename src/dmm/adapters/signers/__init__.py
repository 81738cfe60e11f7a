"""The signers: what they are asked over a unix socket, what they refuse, what they remember."""

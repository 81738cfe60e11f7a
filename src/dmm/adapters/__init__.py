"""How the ports are done: one package a technology."""

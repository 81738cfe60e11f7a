"""Limits, posture, and the one gate every order passes."""

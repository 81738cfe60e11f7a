"""Instruments, books, tapes."""

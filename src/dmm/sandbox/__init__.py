"""The local machine: embedded services on loopback."""

"""The quoting worker's journal: a process of its own writes, reads and watches the switches."""

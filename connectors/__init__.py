"""Talks to the outside systems: one module or folder per system, pulled from, pushed by, written back to."""

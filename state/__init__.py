"""Remembers: landing files and the one database."""

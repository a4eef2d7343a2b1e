"""Runs the flow: extract, load, resolve, score, write back, retry."""

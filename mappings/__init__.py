"""Translates vendors' records into one customer model: pure functions on Polars frames."""

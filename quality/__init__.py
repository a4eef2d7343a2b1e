"""Judges: contracts, checks, objectives, debts and the data of the health report."""

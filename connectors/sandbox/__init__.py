"""Simulated vendors and the demo company: their real quirks, their faults on demand, their own books."""

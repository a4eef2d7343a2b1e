"""Writes scores and purchase facts back: what is wanted, plans and approvals, sending, reading back."""

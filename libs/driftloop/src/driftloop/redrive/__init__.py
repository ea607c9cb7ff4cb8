"""Rejected messages sent again: what is done to them, whether the contract takes them now, and one run of it at a time."""

"""Rows that are there already, played as a stream through the real loop: ``driftloop replay``, and under it ``driftloop demo``."""

"""Versions of data: Delta tables with their offsets, snapshots of them, the join of rows with labels, the split."""

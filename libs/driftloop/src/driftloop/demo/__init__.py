"""``driftloop demo``: a year of flights replayed through the real loop, from an empty stack to a table a person can read."""

"""What the loop would have done: the same decisions, fits and gate over rows that are there already, in event time, without a broker."""

"""From labelled rows to a proven model: which recipes compete, how they are fitted, measured and chosen."""

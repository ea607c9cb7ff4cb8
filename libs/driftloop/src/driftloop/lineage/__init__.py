"""From a prediction to the bytes it came from, from a file to what was made of it, and a version made again from its pins."""

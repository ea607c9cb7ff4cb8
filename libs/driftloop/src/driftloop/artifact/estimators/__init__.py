"""Estimators of other libraries inside a pipeline: each is stored as a file in its library's own format, beside the skops file."""

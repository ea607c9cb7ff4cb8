"""The record, read: one reader of control topics, one fold of a model's history, and what both are asked for.

Folds (`model_history`, `training_use`) are pure. Readers reach the broker through ``ports.Topics`` alone.
"""

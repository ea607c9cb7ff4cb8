"""A file of rows, as ``driftloop init``, ``replay`` and ``backtest`` read it: one reader, so that they see the same rows."""

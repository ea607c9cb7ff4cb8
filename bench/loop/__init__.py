"""The loop beside fixed rules, on sets of rows that drift: `python -m bench.loop`."""

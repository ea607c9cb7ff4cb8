"""``python -m bench [NAME …] [--json]``: how fast driftloop is, each figure beside a limit measured in the same run.

Machines differ and are shared, so a figure alone says little: the ratio to a limit that suffered the same machine says
more. Throughput is counted per CPU second of the process under test, which other processes disturb less than wall time.
It reports; it asserts nothing. ``python -m bench chaos`` is another matter: see ``bench.chaos``.
"""

"""Class probabilities of a row, as they are recorded: what the column is called, and what is accepted there.

A row holds P(class) by class, ``map<string, double>``, each class once, in the order of their names (code points). Which rows
have it: ``StreamSchema.has_probabilities``. Why so: ADR 0015.
"""

PROBABILITIES = "probabilities"

# A row of a thousand classes takes 20 KB, fifty times what a row's features take; a message of 8 MiB still holds some hundred.
MAX_CLASSES = 1_000
MAX_NAMES_BYTES = 16 * 1024  # the names of a row's classes, together

ROUNDING = 1e-9  # by which a probability may leave 0 to 1
SUM_TOLERANCE = 1e-3  # by which a row's sum may differ from 1: room for models that compute in single precision

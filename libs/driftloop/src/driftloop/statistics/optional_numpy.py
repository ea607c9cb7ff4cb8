"""numpy, for modules that are also read where it is not installed.

The tables of metrics and statistics are needed to check a project, which the registry does, whose image carries no numpy;
to compute any of them, numpy has to be there.
"""

try:
    import numpy as np
except ModuleNotFoundError:
    np = None  # type: ignore[assignment]

__all__ = ["np"]

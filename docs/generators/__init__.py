"""Pages that are made from the code but not by the library itself, which knows neither services nor commands: ``make docs``."""

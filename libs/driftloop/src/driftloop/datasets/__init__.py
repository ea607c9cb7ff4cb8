"""What people do with versions of data: read them as of a moment, list, compare, verify and export them."""

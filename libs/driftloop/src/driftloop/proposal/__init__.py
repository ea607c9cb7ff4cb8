"""``driftloop init``: what a file's columns are, proposed with reasons. Pure: a table in, a proposal or a question out."""

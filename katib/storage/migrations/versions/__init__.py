"""One file per version of the tables, named by its number."""

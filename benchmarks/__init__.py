"""Floor 7: what is measured. Each module is a command that prints a table and writes JSON; none of them is a test."""

"""Examples → model → gate → registry. Nothing heavy is imported here: Spark workers load this."""

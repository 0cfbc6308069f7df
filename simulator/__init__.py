"""Where plays are born: seeded listeners, faults, and an answer key.

The room imports nothing from the pipeline or the functions: what it says about a run is a second,
independent reading of the same rules.
"""

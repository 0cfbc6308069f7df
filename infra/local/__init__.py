"""The real services on one machine, all below one folder, all on 127.0.0.1.

The way in is `python -m infra.local` (or the Makefile). Everything up to the project's own
environment is standard library only, so a machine with nothing but Python and make can begin.
"""

"""Thin Beam shells, one for each verb of the domain."""

"""Encore: realtime listening analytics, one Beam pipeline from event to store."""

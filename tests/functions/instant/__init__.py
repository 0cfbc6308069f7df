"""Ingest with a publisher that answers at once, to measure everything but Pub/Sub."""

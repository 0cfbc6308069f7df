"""The Kibana dashboards: built from the board's catalogue, imported as one file."""

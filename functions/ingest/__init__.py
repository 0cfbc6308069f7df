"""The door that events come in by."""

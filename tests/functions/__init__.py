"""The doors, tested as processes against real services."""

"""The door that text messages leave by."""

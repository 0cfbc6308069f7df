"""The door that an app asks at login."""

"""The doors of Encore: one Cloud Function a folder, and what they share."""

"""The pure middle: no Beam, no client, no clock, no environment."""

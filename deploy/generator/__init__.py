"""Writes the alert rules and the dashboard from the definitions of telemetry: `make deploy`."""

"""Conditions, and the only place that waits."""

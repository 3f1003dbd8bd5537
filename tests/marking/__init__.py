"""The reference solution, and known-bad ones: what the marking itself is marked by."""

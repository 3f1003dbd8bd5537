"""Clients beside a test: one that reads (probe) and one that writes (ledger)."""

"""Clients beside a test: `probe` reads, `ledger` writes, `browser` visits pages."""

"""Pictures, one module a kind: each returns SVG text, and none knows a cluster."""

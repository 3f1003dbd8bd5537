"""Exercice 2.7: configurations that are shared, versioned, and changed while visitors come."""

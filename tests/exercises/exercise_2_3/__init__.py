"""Exercice 2.3: what a local volume keeps, and what it does not bring along."""

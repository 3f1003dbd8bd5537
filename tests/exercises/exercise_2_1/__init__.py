"""Exercice 2.1 - Promotion de Workers en Managers."""

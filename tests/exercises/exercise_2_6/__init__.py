"""Exercice 2.6: secrets, where they are, who reads them, and how they are replaced."""

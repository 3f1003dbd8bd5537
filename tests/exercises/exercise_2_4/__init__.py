"""Exercice 2.4: storage that follows the container."""

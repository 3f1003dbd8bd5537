"""Exercice 2.8 - Backup et Restore du Swarm."""

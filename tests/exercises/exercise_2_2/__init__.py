"""Exercice 2.2 - Test de Failover Manager."""

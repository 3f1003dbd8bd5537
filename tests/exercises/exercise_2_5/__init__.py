"""Exercice 2.5: WordPress keeps its posts, its pictures and its visitors' logins."""

"""Drills that provoke what is known of Swarm itself, and count how often it comes.

docs/findings.md tells the findings; `make finding_two_identities` and its like run them.
"""

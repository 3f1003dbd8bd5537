"""Drills on somebody's own work, in place of the lab's own: ``--swarmlab-submission=DIR``.

They are the exercises' drills, on the services that play the lab's roles there, and the exercises'
checks judge them.
"""

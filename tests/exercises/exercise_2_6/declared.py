"""Exercise 2.6: its phases, and what their machines must be able to do."""

from __future__ import annotations

from pytest_swarmlab import Exercise
from pytest_swarmlab.model import Capability

CREATED, MOUNTED, PLAINTEXT, REFUSALS = ("created",), ("mounted",), ("plaintext",), ("refusals",)
MULTITIER, CERTIFICATE, ROTATION, ROLLBACK = (
    ("multitier",),
    ("certificate",),
    ("rotation",),
    ("rollback",),
)
UNDER_LOAD = CERTIFICATE + ROTATION + ROLLBACK
TIERS = MULTITIER + UNDER_LOAD

exercise = Exercise(
    "2.6",
    "Gestion avancée des secrets",
    module=f"{__package__}.verify",
    titles={
        "created": "Secrets are created in the lab's three ways",
        "mounted": "Secrets in the container: path, owner, mode, content",
        "plaintext": "A search for a secret outside of its containers",
        "refusals": "Secrets and commands that the engine refuses",
        "multitier": "Three tiers with a certificate, a key and a password",
        "certificate": "The certificate is rotated under load",
        "rotation": "The database's password is rotated under load",
        "rollback": "A rollback to a version whose secret was removed",
    },
    # Published ports and a service's address, between the tiers too, are IPVS's; the stack file
    # has health checks with a start interval.
    needs=dict.fromkeys(TIERS, (Capability.CHANGE, Capability.IPVS, Capability.START_INTERVAL)),
)

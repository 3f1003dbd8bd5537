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
        "mounted": "In the container: place, owner, mode, content",
        "plaintext": "A secret is looked for where it must not be",
        "refusals": "What can't be a secret, or can't be done with one",
        "multitier": "Three tiers with a certificate, a key and a password",
        "certificate": "The certificate is rotated under load",
        "rotation": "The database's password is rotated under load",
        "rollback": "A roll back to a version whose secret is gone",
    },
    # Published ports and a service's address, between the tiers too, are IPVS's; the stack file
    # has health checks with a start interval.
    needs=dict.fromkeys(TIERS, (Capability.CHANGE, Capability.IPVS, Capability.START_INTERVAL)),
)

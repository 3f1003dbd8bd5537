"""Exercise 2.5: its phases, its services, and what their machines must be able to do."""

from pytest_swarmlab import Exercise
from pytest_swarmlab.model import Capability

INSTALLED, REFUSALS, SALTS = ("installed",), ("refusals",), ("salts",)
RECREATED, LOST, ROLLED, SCALED = ("db-recreated",), ("node-lost",), ("rolled",), ("scaled",)
LOSSES = RECREATED + LOST + ROLLED + SCALED
ON_NFS = (Capability.CHANGE, Capability.NFS, Capability.IPVS, Capability.START_INTERVAL)

exercise = Exercise(
    "2.5",
    "Stack applicative avec persistance",
    module=f"{__package__}.verify",
    titles={
        "installed": "WordPress is installed, and answers through every node",
        "db-recreated": "The database's service is removed and created again",
        "node-lost": "The machine that runs the database loses power",
        "rolled": "Every replica of WordPress is replaced",
        "scaled": "WordPress is scaled to five",
        "salts": "A login at every replica, with and without shared salts",
        "refusals": "Stack files that can't work",
    },
    needs={
        **dict.fromkeys(INSTALLED + RECREATED + ROLLED + SCALED + SALTS, ON_NFS),
        "node-lost": (*ON_NFS, Capability.POWER_OFF),
    },
)

"""Names of the cases that the drills of exercise 2.8 try and its judges look for."""

TRUNCATED, BIT_FLIPPED, VOLUME_LOST = "truncated", "bit-flipped", "volume-lost"
MANIFEST_EDITED, CHECKSUMS_CUT = "manifest-edited", "checksums-cut"
"""What was done to a backup that is offered to be restored."""

ANOTHER_SWARM, ANOTHER_ADDRESS = "another-swarm", "another-address"
NOT_CONFIRMED, OTHERS_ALIVE, VERIFIED = "not-confirmed", "others-alive", "verified"
"""How a good backup is offered; the last one is only verified."""

KEY_UNSAID, NO_KEY, WRONG_KEY, ALONE = "key-unsaid", "no-key", "wrong-key", "alone"
"""How a locked manager's backup is asked for, and then offered."""

IT_LEADS, ANOTHER_RUN, NO_QUORUM_LEFT = "it-leads", "another-run", "no-quorum-left"
"""Why a backup may not begin."""

DISK_FULL, ENGINE_REFUSES, KILLED = "disk-full", "engine-refuses", "killed"
"""How a backup fails that has begun."""

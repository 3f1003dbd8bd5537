"""Why a claim may pass on a record that the second breaker has broken, as it is right."""

from __future__ import annotations

NAMES_ALIKE = "all are looked at alike, and what a machine is called is not what is claimed"
SOONER = "what must come first may have come sooner"
LATER = "what is seen later than it must be is seen late enough"
ALONE = "a look that says by itself what it is of; when it came is no matter"
ANY_ORDER = "several looks, of which none needs to come first"
ENOUGH = "what is left is enough for it"
NOT_MINE = "an event of that kind, and none of those that the claim is about"
UNUSED = "read along with what the claim is about, and not used for it"

"""Contents, paths, sizes and names that the drill and the judges of exercise 2.7 share."""

KINDS = {
    "crlf": b"a = 1\r\nb = 2\r\n",
    "utf8-bom": "\ufeffété = 1\n".encode(),
    "binary": bytes(range(256)),
    "no-newline": b"a = 1",
    "newline": b"a = 1\n",
}
"""Contents that a careless tool would change."""

KINDS_AT = "/etc/reader"
PLACED = {"plain": b"a = 2\n", "owned": b"a = 3\n", "twice": b"a = 4\n"}
"""One without a target, one with mode and owner, one at two places."""

PLAIN_AT, OWNED_AT, TWICE_AT = "/content-plain", "/etc/owned", ("/etc/once", "/etc/twice")
OWNED_MODE, OWNED_UID, OWNED_GID = "400", 33, 34
OWNED = f"uid={OWNED_UID},gid={OWNED_GID},mode=0{OWNED_MODE}"
HIDDEN = "content-secret"

READERS = ("reader-one", "reader-two")
"""Two services that are given one config."""

SIZES = (0, 1, 1_023_999, 1_024_000)
LONGEST = 64
NAMES = {
    "name-64": "a" * LONGEST,
    "name-65": "a" * (LONGEST + 1),
    "name-space": "nginx config",
    "name-accent": "configuré",
    "name-slash": "nginx/config",
    "name-dot": ".nginx",
}

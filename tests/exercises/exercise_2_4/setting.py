"""Names, sizes and cases that the drill and the judges of exercise 2.4 share."""

LEDGER = "rows"
AWAY_S = 6
"""Seconds of the NFS server's outage: longer than any write, shorter than any timeout."""

BAD_OPTIONS = ("size=1.5", "size=0", "size=-1", "password=none")
"""Options of a volume that the plugin can't take."""

BAD_NAMES = ("../escaped", "a/b", "/etc", "..", ".", "", "x" * 70, "new\nline")
"""Names of a volume that would lead out of the plugin's directory, or are none."""

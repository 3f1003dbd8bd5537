"""What the drill and the judge of exercise 2.4 both know: names, sizes, and what is tried."""

LEDGER = "rows"
AWAY_S = 6
"""How long the NFS server stays away: longer than any write takes, shorter than any time-out."""

BAD_OPTIONS = ("size=1.5", "size=0", "size=-1", "password=none")
"""Options of a volume that the plugin can't take."""

BAD_NAMES = ("../escaped", "a/b", "/etc", "..", ".", "", "x" * 70, "new\nline")
"""Names of a volume that would lead out of the plugin's directory, or are none."""

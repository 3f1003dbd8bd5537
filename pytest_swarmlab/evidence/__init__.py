"""What was seen: written down first (recorder), read back later (record)."""

"""Evidence: written by the recorder, read back as a record."""

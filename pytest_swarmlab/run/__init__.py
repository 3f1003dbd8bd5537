"""One run: its workers, its directory, the clusters that serve its tests."""

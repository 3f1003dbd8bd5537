"""From a record to a mark: which service plays which role, what is judged, and why."""

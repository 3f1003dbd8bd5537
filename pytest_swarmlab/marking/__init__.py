"""From a record to a mark: who plays which role, the checks and their points, the reasons."""

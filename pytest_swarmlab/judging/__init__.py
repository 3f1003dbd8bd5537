"""From a record to verdicts: exercises and their checks, judged live and again."""

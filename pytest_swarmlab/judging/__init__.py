"""Turns a record into verdicts: exercises and their checks, judged live and again."""

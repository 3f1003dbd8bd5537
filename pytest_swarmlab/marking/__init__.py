"""Turns a record into a mark: roles, checks, points, reasons."""

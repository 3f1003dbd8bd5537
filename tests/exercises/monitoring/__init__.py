"""The monitoring plan, made real: each alert is provoked, seen to fire, and seen to be over."""

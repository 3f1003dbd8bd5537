"""Exercise 2.10: the whole shop, under orders, while it is broken in every way the lab has."""

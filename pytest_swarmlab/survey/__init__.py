"""One look at a whole cluster that changes nothing of it: recorded first, then read and shown."""

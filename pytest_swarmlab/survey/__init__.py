"""One look at a whole cluster that changes nothing on it: recorded first, then read and shown."""

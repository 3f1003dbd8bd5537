"""From verdicts to a mark: the rubric, what a submission holds, and points with their reasons.

Nothing here talks to a cluster: a mark is made from a record, a submission's files and a rubric,
and the same three always give the same mark.
"""

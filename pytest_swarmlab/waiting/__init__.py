"""What can be waited for, and the one place that waits."""

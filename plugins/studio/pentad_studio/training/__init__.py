"""The page Training: runs as they learn, and starting, stopping and resuming one."""

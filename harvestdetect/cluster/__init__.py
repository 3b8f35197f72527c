"""From neighbours to clusters of segments, each prompt in at most one."""

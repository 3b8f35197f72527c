"""Regular runs of scans, and checks that they work."""

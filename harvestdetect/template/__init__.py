"""What the texts of a cluster share."""

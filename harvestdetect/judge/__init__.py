"""What speaks for and against each candidate, and the verdict."""

"""Independent families of evidence: each takes one campaign and returns measures with a null and a p-value."""

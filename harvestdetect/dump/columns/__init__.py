"""Which path of a record gives which field: recognised names, known shapes, and the choice over a sample of rows."""

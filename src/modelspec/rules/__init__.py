"""Rules: one function each, one file a family; and the runner that owns the loop."""

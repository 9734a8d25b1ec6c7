"""Whether a model may read what is served: the change table, and what judges by it. Pure."""

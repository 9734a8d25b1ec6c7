"""A seeded world of models, environments, observers and logs that knows its own truth: what `trace` is held against."""

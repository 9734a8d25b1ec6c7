"""A seeded world of models, clusters, observers and logs that knows its truth, to hold `trace` against."""

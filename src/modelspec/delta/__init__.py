"""Pairs of base and head: what changed, and of what kind it is (promotion, restore, ...), from history."""

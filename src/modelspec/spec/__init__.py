"""Frozen values of each kind, the strict reader of kinds, and the lazy registry."""

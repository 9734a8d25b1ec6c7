"""Bytes that others wrote, read within limits: foreign schemas and graphs become values."""

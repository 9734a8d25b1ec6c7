"""Bytes and places, no models: snapshots, strict YAML, documents, digests, findings, serialisers."""

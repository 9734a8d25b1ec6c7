"""Where artifact bytes live: a folder, any fsspec URL, an OCI registry; and pointers to bytes elsewhere.

Each holds one tree of files for each artifact digest. What a store gives back is compared with its digest
by whoever reads it (`verified`), so a store can fail and can't lie.
"""

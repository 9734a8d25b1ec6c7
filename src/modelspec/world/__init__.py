"""The only package that touches disk, git and the clock."""

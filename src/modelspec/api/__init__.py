"""The tool minus input and output: check, build, read. Every function is pure."""

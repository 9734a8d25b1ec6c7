"""modelspec: the declarative, git-native model registry."""

__version__ = "0.1.0"

"""Observers: what is really deployed, from a file, an endpoint, a cluster or a cloud. They only ask."""

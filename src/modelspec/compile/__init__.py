"""Deployments, templates with holes, outputs and manifests; the MS6 rules."""

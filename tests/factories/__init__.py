"""Makers of rows and bundles for tests: plain functions with plain defaults."""

"""Measure the platform, with comparisons within one run: `make bench`."""

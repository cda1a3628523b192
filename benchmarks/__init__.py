"""Figures of the platform, compared within one run: `make bench`."""

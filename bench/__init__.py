"""Measures the loader beside other ways of doing its work: `make bench`."""

"""Validates raw CSV files against their contract and loads them, once, into the landing table."""

__version__ = "0.1.0"

"""The command line: what a person types and reads. Only this wing prints."""

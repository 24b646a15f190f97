"""What a feed's YAML says, and the values of its types."""

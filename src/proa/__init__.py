"""proa."""

"""Nearest neighbours of vectors, exact or in partitions."""

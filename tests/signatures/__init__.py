"""Tests of signatures between providers."""

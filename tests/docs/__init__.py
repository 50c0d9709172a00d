"""Tests of the documentation, and what draws its pictures."""

"""Bulk runs: killed at random moments, and beside the same job written in two usual ways."""

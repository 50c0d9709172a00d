"""What the toolkit costs, beside a bare call and beside its peers: `python -m benchmarks`."""

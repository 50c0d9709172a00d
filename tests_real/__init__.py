"""The tests against servers that others wrote: `make test-real`."""

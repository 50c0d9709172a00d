"""The adapters: pure parts, the wire, and whole clients against a local server."""

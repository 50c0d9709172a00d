"""The parts of the emulated S3: store, signatures, operations, errors."""

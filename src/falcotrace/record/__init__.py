"""The recorder: from the kernel to row groups of a capture."""

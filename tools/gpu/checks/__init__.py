"""The sections of tools/gpu/check.py."""

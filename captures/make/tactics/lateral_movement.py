"""Stands for a script with arguments; it does nothing."""

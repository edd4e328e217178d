"""How alerts are written."""

"""From an alert to what stands behind it."""

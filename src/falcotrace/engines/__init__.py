"""Engines: a plan over captures becomes matches and alerts."""

"""Acquisition -> instance."""

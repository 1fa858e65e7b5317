"""Durable -> elsewhere."""

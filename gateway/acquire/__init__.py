"""Device -> acquisition on disk."""

"""Instance -> durable."""

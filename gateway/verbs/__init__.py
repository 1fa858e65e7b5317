"""What a person can tell the gateway to do, one file for each group of commands."""

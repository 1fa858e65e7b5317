"""A hospital and a device to try the gateway with."""

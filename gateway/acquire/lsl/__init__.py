"""The Lab Streaming Layer: streams of samples that a program beside the device offers on the network."""

"""One file for each device; README.md says how to add one."""

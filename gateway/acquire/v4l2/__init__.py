"""Video4Linux: a camera or a frame grabber, by the kernel's own interface (ioctl and mmap), with no library between."""

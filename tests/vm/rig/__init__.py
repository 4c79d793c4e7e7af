"""Virtual machines that share memory."""

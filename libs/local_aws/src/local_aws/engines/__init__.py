"""What makes recorded wishes come true: desired state in, actions out."""

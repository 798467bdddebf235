"""What notifier is measured against: each peer is a program of its own, run as its makers show it."""

"""What really served: receipts and request records beside what git declared."""

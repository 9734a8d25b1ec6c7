"""What runs inside serving engines: imported by them, never by the rest of modelspec."""

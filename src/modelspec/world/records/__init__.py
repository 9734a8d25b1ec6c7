"""Request logs where they lie: on disks and at URLs, our own Parquet and what other systems write."""

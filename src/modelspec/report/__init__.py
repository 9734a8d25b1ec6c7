"""Values -> text, JSON, annotations. Nothing here judges anything."""

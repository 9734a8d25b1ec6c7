"""Base and head as people read them: semantic diff, impact, plan; and edits of pins as patches."""

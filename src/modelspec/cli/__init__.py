"""Arguments in, exit code out; one file a group of verbs, imported when it is called."""

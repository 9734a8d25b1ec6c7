"""The rules, each judged by its cases."""

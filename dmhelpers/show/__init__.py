"""The room that turns records into tables and pictures."""

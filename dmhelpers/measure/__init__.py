"""The room that turns what the engine did into frozen records."""

"""The workshop: the course served to a room, with a seat and an engine of their own for each learner."""

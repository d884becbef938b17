"""The course in a room: many learners, and who looks after them."""

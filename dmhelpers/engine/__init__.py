"""The room that runs things: the Docker Engine, its base images, and what the course made on it."""

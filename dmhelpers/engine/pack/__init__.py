"""The pack: one verified file that holds everything the course downloads. Make it, verify it, load it, serve it."""

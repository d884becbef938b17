"""The room that turns tables and pictures into lessons: samples, the main measurement, notebooks."""

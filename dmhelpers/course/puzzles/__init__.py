"""Puzzles and questions whose answers are judged by the engine: Parsons problems and quizzes."""

"""Messages, topics and errors of Sztab: what everybody else agrees on. Imports nothing of the project."""

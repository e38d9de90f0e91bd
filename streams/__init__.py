"""Stream processors (pure steps) and the shell that runs them on Kafka."""

"""Help that a connector may take or leave: HTTP, JSON, local time, polling, sockets. Kits import no connector."""

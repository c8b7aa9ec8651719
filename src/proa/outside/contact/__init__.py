"""Contact services as their clients do: names, sockets, TLS, and each protocol up to one harmless read."""

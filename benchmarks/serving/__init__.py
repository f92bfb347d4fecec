"""What explaining costs a server, against plain classification."""

"""What `mcdropout predict` answers, on the terminal and in files."""

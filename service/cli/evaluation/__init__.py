"""`mcdropout evaluate`."""

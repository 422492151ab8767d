"""`mcdropout calibrate`."""

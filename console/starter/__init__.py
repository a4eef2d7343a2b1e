"""What `liuke init` puts into a new folder."""

"""Content to vectors: each encoder reads the items table and writes one column of the dataset."""

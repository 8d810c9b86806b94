"""Training: the one loop, its batches, checkpoints, and export to the one-file model. Needs torch (`[train]`)."""

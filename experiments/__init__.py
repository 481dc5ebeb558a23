"""What is too long for a chapter: sweeps over models and seeds, on Dask."""

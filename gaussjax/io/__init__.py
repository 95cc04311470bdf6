"""Images and pairs in and out of files, without JAX. Imports no other folder of the package."""

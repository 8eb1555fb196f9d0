"""A run, from the request to its finished directory. `pipeline` is the way in, `directory` the run on disk."""
